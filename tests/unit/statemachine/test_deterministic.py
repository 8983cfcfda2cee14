"""The same log on every machine: nothing that is decided depends on the order of a process's hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import hashlib
from interlock.statemachine import codec, commands as c, firings as f
from tests.support.world import World
from tests.unit.statemachine.packs import WIDE_CAST, wide
from tests.unit.statemachine.test_replay import story
from tests.unit.statemachine.test_genesis import FAULTS, founding

said = [repr(founding(FAULTS[name])) for name in sorted(FAULTS)]
world = World.found(wide(), WIDE_CAST)
for model in ("b", "a", "c"):
    world.fire("evaluator", f.ModelRegister(f"models/{model}"))
    world.enact(f.LevelAssign(f"models/{model}/levels/deployment", "guarded"))
said.append(repr(world.fire("owner-a", f.SafeguardRetire("safeguards/classifier"))))
said.append(repr(world.verdict("models/a", "api")))
change = world.propose("evaluator", f.LevelRaise("models/a/levels/deployment", "strict"))
said.append(repr(world.sign("admin", change, roles=["owner"])))
print(hashlib.sha256(b"".join([*story().encoded(), *world.encoded(), *(s.encode() for s in said)])).hexdigest())
"""


def test_hash_seeds_do_not_matter() -> None:
    """Processes with different hash seeds write the same entries and give the same refusals, to the byte."""
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(found) == 1
