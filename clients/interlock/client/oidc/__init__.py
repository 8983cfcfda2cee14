"""A person's token of an OpenID provider, got in a browser or on another device: what opens a session instead of a key.

    from interlock.client import Interlock
    from interlock.client import oidc

    with Interlock.from_profile("auditor") as client:
        token = oidc.token_by_browser(oidc.Wish.of(client.profile), lambda told: print(told.page))
        client.identity.login(oidc_token=token)

`token_by_browser_async` and `token_by_device_async` are the same for asyncio. Needs the extra `oidc`.
"""

from __future__ import annotations

from interlock.client.oidc.login import (
    Invitation,
    Wish,
    token_by_browser,
    token_by_browser_async,
    token_by_device,
    token_by_device_async,
)
from interlock.client.session import ProviderToken

__all__ = [
    "Invitation",
    "ProviderToken",
    "Wish",
    "token_by_browser",
    "token_by_browser_async",
    "token_by_device",
    "token_by_device_async",
]
