"""A login at an OpenID provider, as somebody at a terminal sees it: which page, which code, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.cli.terminal import Terminal
    from interlock.client.oidc import Invitation
    from interlock.client.profile import Profile
    from interlock.client.session import ProviderToken


@dataclass(frozen=True, slots=True)
class Way:
    """How the command line asks for it; ``issuer`` and ``client_id`` are empty for the profile's."""

    issuer: str
    client_id: str
    port: int
    wait_seconds: float
    device: bool = field(kw_only=True)
    open_browser: bool = field(kw_only=True)


def token_from_provider(terminal: Terminal, profile: Profile, way: Way) -> ProviderToken:
    """Have somebody log in at their provider, and return its token. Raises InterlockError."""
    from interlock.client import oidc

    wish = oidc.Wish.of(
        profile, issuer=way.issuer, client_id=way.client_id, wait_seconds=way.wait_seconds, port=way.port
    )

    def tell(told: Invitation) -> None:
        _tell(terminal, wish.issuer, told)

    if way.device:
        return oidc.token_by_device(wish, tell)
    return oidc.token_by_browser(wish, tell, open_browser=way.open_browser)


def _tell(terminal: Terminal, issuer: str, told: Invitation) -> None:
    if told.user_code:
        terminal.note("on any device, open ", (told.page, "bold"), " and type the code ", (told.user_code, "bold"))
        terminal.note(("only if you started this login yourself; waiting for it, Ctrl-C gives up", "dim"))
    elif told.opened is None:
        terminal.note(f"log in at {issuer} in a browser of this machine:")
        terminal.note(told.page)
        terminal.note(("waiting for it; Ctrl-C gives up", "dim"))
    elif not told.opened:
        other = "; `interlock login --device` needs none on this machine" if told.other_device else ""
        terminal.note((f"no browser opened: open the page above yourself{other}", "yellow"))
