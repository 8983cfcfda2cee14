"""Load a policy pack: bytes in, a compiled policy or every reason against it out.

In order, each step only when the one before found no error, and each reporting all that it finds:
1. the files: names, sizes, text (``files.py``);
2. YAML, the closed part of it (``yamltree.py``);
3. keys and types (``shape.py``, ``schema.py``);
4. what the names refer to, and what no pack may say (``checks_model.py``, ``checks_rules.py``,
   ``checks_succession.py``);
5. the compiled values (``compile.py``).

Not here: where the bytes come from, and the proofs over machines and quorums that a lint adds (``lint/``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interlock.statemachine.policy.checks_duties import check_duties
from interlock.statemachine.policy.checks_model import check_model
from interlock.statemachine.policy.checks_rules import check_rules
from interlock.statemachine.policy.checks_succession import check_succession
from interlock.statemachine.policy.compile import compile_policy
from interlock.statemachine.policy.files import POLICY_FILE, pack_digest, read_texts
from interlock.statemachine.policy.findings import Finding, PackError, Severity, ordered
from interlock.statemachine.policy.notebook import Notebook
from interlock.statemachine.policy.shape import read_shape
from interlock.statemachine.policy.yamltree import read_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.statemachine.policy.model import Policy
    from interlock.statemachine.policy.schema import PackShape
    from interlock.statemachine.policy.yamltree import Tree


@dataclass(frozen=True, slots=True)
class Examined:
    """A pack that was looked at: ``policy`` is None if and only if some finding is an error."""

    policy: Policy | None
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether there is no error and no warning; notes may stand."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)


def load_pack(files: Mapping[str, bytes]) -> Policy:
    """Return the policy that the files of a pack, by path, say. Raises PackError with every finding."""
    examined = examine_pack(files)
    if examined.policy is None:
        raise PackError(examined.findings)
    return examined.policy


def examine_pack(files: Mapping[str, bytes]) -> Examined:
    """Like load_pack, and tells warnings and notes too; never raises for what the files hold."""
    draft = draft_pack(files)
    return Examined(draft.policy, draft.findings)


@dataclass(frozen=True, slots=True)
class Draft:
    """How far a pack could be read: the first thing that is None is where reading stopped."""

    findings: tuple[Finding, ...]
    tree: Tree | None = None
    shape: PackShape | None = None
    policy: Policy | None = None


def draft_pack(files: Mapping[str, bytes]) -> Draft:
    """Read a pack as far as that goes, and keep what a lint looks places up in."""
    texts, findings = read_texts(files)
    if findings:
        return Draft(ordered(findings))
    tree, findings = read_tree(POLICY_FILE, texts[POLICY_FILE])
    if tree is None:
        return Draft(ordered(findings))
    shape, findings = read_shape(tree)
    if shape is None:
        return Draft(ordered(findings), tree)
    book = Notebook(tree)
    check_model(shape, book)
    check_rules(shape, book)
    check_duties(shape, book)
    check_succession(shape, book)
    policy = None if book.failed else compile_policy(shape, pack_digest(files))
    return Draft(ordered(book.findings), tree, shape, policy)
