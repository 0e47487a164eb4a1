"""A TCP proxy whose address stays while what is behind it comes and goes, and that can lose answers."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

READ = 65_536


class Proxy:
    """One that runs.

    port:     where it accepts, on 127.0.0.1.
    behind:   where it connects to; None where there is nothing, so that connections are closed.
    loses:    asked with every piece of an answer: whether to end the connection in its place. The request has arrived by then.
    """

    def __init__(self) -> None:
        self.port = 0
        self.behind: tuple[str, int] | None = None
        self.loses: Callable[[], bool] = lambda: False

    async def serve(self, client: trio.SocketStream) -> None:
        try:
            async with client, await trio.open_tcp_stream(*(self.behind or ("127.0.0.1", 0))) as server, trio.open_nursery() as nursery:
                nursery.start_soon(self._copy, client, server, nursery.cancel_scope, lambda: False)
                nursery.start_soon(self._copy, server, client, nursery.cancel_scope, self.loses)
        except OSError:
            return

    async def _copy(self, source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope, loses: Callable[[], bool]) -> None:
        try:
            while (octets := await source.receive_some(READ)) and not loses():
                await sink.send_all(octets)
        except trio.BrokenResourceError:
            pass
        scope.cancel()


@asynccontextmanager
async def running_proxy() -> AsyncIterator[Proxy]:
    """A proxy on a free port."""
    proxy = Proxy()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1"))
        assert isinstance(listeners[0].socket.family, socket.AddressFamily)
        proxy.port = listeners[0].socket.getsockname()[1]
        yield proxy
        nursery.cancel_scope.cancel()
