"""For the tests of programs that use Interlock: a real server in a temporary folder, and everybody's keys.

    from interlock.client.testing import embedded_server

    with embedded_server() as server:
        server.allow("aurora-4", "api")                      # real changes, signed by everybody it takes
        assert server.client("release-bot").gate.allows("aurora-4", "api")

Nothing is mocked: `interlock init --dev` and `interlock serve` run as processes of their own, which needs the `server`
extra. With pytest the fixtures of `interlock.client.testing.plugin` are there by themselves.
"""

from interlock.client.testing.embedded import EmbeddedServer, EmbeddedServerError, embedded_server

__all__ = ["EmbeddedServer", "EmbeddedServerError", "embedded_server"]
