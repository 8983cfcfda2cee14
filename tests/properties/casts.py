"""Who acts in the property tests under ``rich-pack.yaml``."""

from __future__ import annotations

from typing import Final

from tests.support.world import Member

RICH_CAST: Final = (
    Member("owner-a", (("owner", "*"),)),
    Member("owner-of-m", (("owner", "m"),)),
    Member("reviewer-a", (("reviewer", "*"),)),
    Member("reviewer-b", (("reviewer", "*"),)),
    Member("owner-a-again", (("reviewer", "*"), ("owner", "*")), person="owner-a"),
    Member("both", (("owner", "*"), ("reviewer", "*"))),
    Member("outsider-a", (("outsider", "*"),), kind="external"),
    Member("insider", (("outsider", "*"),)),
    Member("outsider-too", (("outsider", "m"), ("reviewer", "n")), kind="external"),
    Member("evaluator", (("evaluator", "*"), ("requester", "*"), ("engineer", "*"))),
    Member("engineer", (("engineer", "*"),)),
    Member("everything-but-admin", (("owner", "*"), ("reviewer", "*"), ("requester", "*"), ("evaluator", "*"))),
    Member("admin", (("admin", "*"),)),
    Member("librarian", (("requester", "*"),)),
    Member("filter-monitor", (("monitor", "*"),), kind="service"),
    Member("release-bot", (("release-tool", "*"),), kind="service"),
    Member("recovery-1", recovery=True),
    Member("recovery-2", recovery=True),
    Member("recovery-3", recovery=True),
)
"""Every role of the pack: people with two accounts or two roles, with narrow scopes, and of the wrong affiliation."""
