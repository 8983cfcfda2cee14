"""An OpenID provider that was distrusted and is trusted anew: who was bound is bound again, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from interlock.v1 import audit_pb2, identity_pb2
from tests.integration.test_oidc import account, bound, good, log_in, refused, trusted, whoami
from tests.support.newcomers import give
from tests.support.oidc_provider import Provider, provider
from tests.support.people import People, trigger
from tests.support.server import ServerThread, answer_of, copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Install

SUBJECT = "248289761001"


@pytest.fixture(scope="module")
def oidc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Run a provider for the module."""
    with provider(tmp_path_factory.mktemp("oidc")) as running:
        yield running


@pytest.fixture
def data(installations: Install, tmp_path: Path) -> Path:
    """Give a log of its own."""
    return copy_of(installations("minimal"), tmp_path / "data")


def refusal(people: People, who: str, issuer: str) -> set[str]:
    """Have the evaluator propose to bind the subject to an account; return why that is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        people["evaluator"].propose(trigger(credential_bind=bound(who, issuer, SUBJECT)))
    return set(answer_of(caught.value).unmet)


def test_regression_who_was_bound_is_bound_again(oidc: Provider, data: Path) -> None:
    """The same subject is the same account again; its old session stays dead, and a restart decides it all alike."""
    with ServerThread(data, oidc_ca=str(oidc.ca_file)) as server, People(server) as people:
        people.enact(
            trigger(issuer_trust=trusted("sso", oidc.url)),
            trigger(principal_create=account("kim", kind="human", person="persons/kim")),
            trigger(credential_bind=bound("kim", subject=SUBJECT)),
            give("kim", "reviewer"),
        )
        old = log_in(people, "kim", oidc.sign(good(oidc)))
        request = identity_pb2.DistrustIssuerRequest(name="issuers/sso", reason="its key leaked")
        people["admin"].identity.DistrustIssuer(request)
        people.enact(trigger(issuer_trust=trusted("sso-2", oidc.url)))
        assert refused(people, "kim", oidc.sign(good(oidc))) == "UNAUTHENTICATED"
        assert refusal(people, "owner", "sso-2") == {"KEY_TAKEN"}
        assert refusal(people, "kim", "sso") == {"ISSUER_DISTRUSTED"}

        people.enact(trigger(credential_bind=bound("kim", "sso-2", SUBJECT)))

        new = log_in(people, "kim", oidc.sign(good(oidc)))
        assert whoami(people, new).principal.name == "principals/kim"
        assert refusal(people, "kim", "sso-2") == {"KEY_TAKEN"}
        assert refusal(people, "owner", "sso-2") == {"KEY_TAKEN"}
        with pytest.raises(grpc.RpcError) as ended:
            whoami(people, old)
        assert answer_of(ended.value).reason == "UNAUTHENTICATED"
        head = people["auditor"].audit.GetCheckpoint(audit_pb2.GetCheckpointRequest()).note
    with ServerThread(data, oidc_ca=str(oidc.ca_file)) as server, People(server) as people:
        assert whoami(people, log_in(people, "kim", oidc.sign(good(oidc)))).principal.name == "principals/kim"
        assert people["auditor"].audit.GetCheckpoint(audit_pb2.GetCheckpointRequest()).note == head
