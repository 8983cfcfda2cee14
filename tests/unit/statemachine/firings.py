"""One well-formed example of each trigger."""

from __future__ import annotations

from typing import Final

from interlock.statemachine import commands as c

_MODEL: Final = "models/m"
_SHA256: Final = "0a" * 32
_LEVEL: Final = f"{_MODEL}/levels/deployment"
_DETERMINATION: Final = f"{_MODEL}/determinations/misuse"
_SAFEGUARD: Final = f"{_MODEL}/safeguards/input-filter"
_REASON: Final = bytes(32)
_EVIDENCE: Final = ("evidence/1", "evidence/2")

_ALL: Final[tuple[c.Firing, ...]] = (
    c.ModelRegister(_MODEL, (_SHA256,)),
    c.ModelRetire(_MODEL, _REASON),
    c.ModelAddArtifact(_MODEL, _SHA256),
    c.ModelRecordRun(_MODEL, "evidence/1"),
    c.DeterminationReport(_DETERMINATION, "reached", "assessments/1", _EVIDENCE),
    c.DeterminationConfirm(_DETERMINATION),
    c.DeterminationRuleOut(_DETERMINATION),
    c.AssessmentOpen(_MODEL, ("misuse",), _REASON),
    c.AssessmentConclude("assessments/1", ("entries/0", "entries/12")),
    c.AssessmentAbandon("assessments/1", _REASON),
    c.LevelAssign(_LEVEL, "basic"),
    c.LevelRaise(_LEVEL, "guarded"),
    c.LevelConfirm(_LEVEL),
    c.LevelLower(_LEVEL, "basic"),
    c.SafeguardStart(_SAFEGUARD),
    c.SafeguardVerify(_SAFEGUARD, _EVIDENCE),
    c.SafeguardActivate(_SAFEGUARD),
    c.SafeguardReattest(_SAFEGUARD, _EVIDENCE),
    c.SafeguardDegrade(_SAFEGUARD, _REASON),
    c.SafeguardRestore(_SAFEGUARD),
    c.SafeguardSuspend(_SAFEGUARD, _REASON),
    c.SafeguardResume(_SAFEGUARD),
    c.SafeguardRetire(_SAFEGUARD, _REASON),
    c.SafeguardReplan(_SAFEGUARD, _REASON),
    c.HoldPlace(_MODEL, _REASON),
    c.HoldLift("holds/1"),
    c.DeploymentRecord(_MODEL, "external", _SHA256, "cluster-a/eu-west:1", "decisions/1"),
    c.DeploymentEnd("deployments/1"),
)

EXAMPLES: Final[dict[type[c.Firing], c.Firing]] = {type(firing): firing for firing in _ALL}
