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
    keys: {login: 3b6a…, signoff: 9c1f…}      # Ed25519 public keys, 64 hex digits
  - id: recovery-1
    kind: human
    person: john-roe
    recovery: true
    keys: {recovery: 77ab…}
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from interlock.service.genesis.plan import EVERYTHING, Plan, PlanError, PlannedGrant, PlannedPrincipal

if TYPE_CHECKING:
    from pathlib import Path

_Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]
_Scope = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._*?-]{1,64}$")]
_Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


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
    try:
        # JSON is YAML 1.2; the safe loader refuses equal keys and makes nothing but plain values.
        value = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}") from error
    try:
        genesis = _Genesis.model_validate(value)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise PlanError(f"{path}: {'; '.join(wrong)}") from None
    beside = path.parent / genesis.policy
    pack = str(beside) if beside.is_dir() else genesis.policy
    return Plan(tuple(map(_planned, genesis.principals)), genesis.recovery_threshold), pack


def _planned(row: _Principal) -> PlannedPrincipal:
    return PlannedPrincipal(
        id=row.id,
        kind=row.kind,
        person=row.person or "",
        grants=tuple(PlannedGrant(grant.role, grant.scope) for grant in row.grants),
        keys=tuple((use, bytes.fromhex(key)) for use, key in row.keys.model_dump(exclude_none=True).items()),
        recovery=row.recovery,
    )
