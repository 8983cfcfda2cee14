"""The bare echo: what gRPC itself costs in this language, with the same TLS. It reads and decides nothing.

``python -m tests.bench.echo KEY CERTIFICATE SIZE…`` prints its address, then answers request bytes whose first byte is
*n* with as many bytes as the *n*-th SIZE says, until it is told to stop.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any, Final

import grpc
from grpc import aio

METHOD: Final = "/bench.Echo/Echo"


async def serve(key: bytes, certificate: bytes, sizes: list[int]) -> None:
    """Serve until SIGTERM."""
    replies = [b"\0" * size for size in sizes]

    async def echo(data: bytes, _context: Any) -> bytes:  # noqa: ANN401  # gRPC's, untyped
        return replies[data[0]]

    server = aio.server(options=(("grpc.so_reuseport", 0),))
    handlers: dict[str, Any] = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]).read_bytes(), [int(n) for n in sys.argv[3:]]))
