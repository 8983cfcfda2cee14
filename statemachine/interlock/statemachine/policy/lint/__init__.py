"""What a lint proves of a policy pack beyond that it loads; the soundness is argued in docs/decisions/0047.

``lint_pack`` for everything that is found, ``lint_policy`` for the proofs over a policy that is loaded already.
Pure, like all of the statemachine: no file is read here, no clock.
"""

from interlock.statemachine.policy.lint.against import Member, members_of
from interlock.statemachine.policy.lint.doors import Quorum, Route
from interlock.statemachine.policy.lint.whole import Linted, Log, lint_pack

__all__ = ["Linted", "Log", "Member", "Quorum", "Route", "lint_pack", "members_of"]
