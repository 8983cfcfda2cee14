"""The founding that people review: a YAML or JSON file that names everyone by public key.

```yaml
format: 1
policy: rsp-2.2                 # a shipped pack, or a folder beside this file
recovery_threshold: 2
principals:
  - id: rso
    kind: human                 # or service, external
    person: jane-doe            # a pseudonym; one human being is one person, however many accounts; not for services
    grants: [{role: rso, scope: "*"}]
    keys: {login: 3b6a…, signoff: 9c1f…}      # public keys: Ed25519, 64 hex digits, or P-256, 66
  - id: recovery-1
    kind: human
    person: john-roe
    recovery: true
    keys: {recovery: 77ab…}
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from interlock.service.genesis.plan import EVERYTHING, Plan, PlanError, PlannedGrant, PlannedPrincipal
from interlock.statemachine.policy.yamltree import read_tree

if TYPE_CHECKING:
    from pathlib import Path

_Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]
_Scope = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._*?-]{1,64}$")]
_Key = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64}|0[23][0-9a-f]{64})$")]

_MAX_BYTES: Final = 1 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Grant(_Strict):
    role: _Id
    scope: _Scope = EVERYTHING


class _Keys(_Strict):
    login: _Key | None = None
    signoff: _Key | None = None
    recovery: _Key | None = None


class _Principal(_Strict):
    id: _Id
    kind: Literal["human", "service", "external"]
    person: _Id | None = None
    grants: list[_Grant] = []
    keys: _Keys
    recovery: bool = False


class _Genesis(_Strict):
    format: Literal[1]
    policy: Annotated[str, StringConstraints(min_length=1)]
    recovery_threshold: int = 2
    principals: list[_Principal]


def read_reviewed(path: Path) -> tuple[Plan, str]:
    """Return the plan of a file, and the pack that it names (an id, or a path). Raises PlanError."""
    value = _read(path)
    try:
        genesis = _Genesis.model_validate(value)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise PlanError(f"{path}: {'; '.join(wrong)}") from None
    beside = path.parent / genesis.policy
    pack = str(beside) if beside.is_dir() else genesis.policy
    return Plan(tuple(map(_planned, genesis.principals)), genesis.recovery_threshold), pack


def _read(path: Path) -> object:
    """Return the plain values of a file (JSON is YAML 1.2), read as strictly as a policy pack is."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise PlanError(f"{path}: more than {_MAX_BYTES} bytes")
    try:
        tree, findings = read_tree(str(path), data.decode())
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: {error}") from error
    if tree is None:
        rows = [f"{row.file}:{row.line}:{row.column}: {row.message}" for row in findings]
        raise PlanError("; ".join(rows) or f"{path}: not a mapping")
    return tree.root


def _planned(row: _Principal) -> PlannedPrincipal:
    return PlannedPrincipal(
        id=row.id,
        kind=row.kind,
        person=row.person or "",
        grants=tuple(PlannedGrant(grant.role, grant.scope) for grant in row.grants),
        keys=tuple((use, bytes.fromhex(key)) for use, key in row.keys.model_dump(exclude_none=True).items()),
        recovery=row.recovery,
    )
