"""GET /metrics, /livez and /readyz over HTTP/1.1 (RFC 9112), for Prometheus and for whoever restarts or routes.

    path       200 when                                       otherwise
    /metrics   always: the registry in Prometheus' text form
    /livez     always: the event loop runs
    /readyz    everything bound, and the spool takes events    503 and what is missing, a line each

Read-only and bounded: no request may carry a body, headers end within 64 KiB and 10 s, a connection idles for 60 s at most, 64
connections are served and further ones closed unread. h11 0.16 takes Content-Length beside Transfer-Encoding; a body of
either kind is refused here, so nothing can be smuggled behind one.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import h11
import trio

from pipeline.errors import ConfigError
from pipeline.log import Log
from pipeline.metrics import CONTENT_TYPE, Metrics
from pipeline.settings import SocketAddress

MAX_HEADER: Final = 64 << 10
HEADER_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 60.0
WRITE_SECONDS: Final = 30.0
MAX_CONNECTIONS: Final = 64
READ_SIZE: Final = 4 << 10
CONTENT_TOO_LARGE: Final = 413

TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Response:
    """What a request is answered with."""

    status: int
    body: bytes
    content_type: str = TEXT
    allow: str = ""


Page = Callable[[], Response]


def pages(metrics: Metrics, missing: Callable[[], Sequence[str]]) -> Mapping[str, Page]:
    """The table of paths; `missing` says what stands between the gateway and being ready, a short text each."""

    def ready() -> Response:
        gaps = missing()
        return Response(503, "".join(f"{gap}\n" for gap in gaps).encode()) if gaps else Response(200, b"ready\n")

    return {
        "/metrics": lambda: Response(200, metrics.exposition(), CONTENT_TYPE),
        "/livez": lambda: Response(200, b"live\n"),
        "/readyz": ready,
    }


def respond(request: h11.Request, table: Mapping[str, Page]) -> Response:
    """The answer to a request; its body, if it claims one, isn't read."""
    if any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in request.headers):
        return Response(CONTENT_TOO_LARGE, b"no body is taken here\n")
    page = table.get(request.target.partition(b"?")[0].decode("ascii", "replace"))
    if page is None:
        return Response(404, "".join(f"{path}\n" for path in table).encode())
    if request.method not in (b"GET", b"HEAD"):
        return Response(405, b"GET or HEAD\n", allow="GET, HEAD")
    return page()


async def serve_metrics(
    address: SocketAddress,
    table: Mapping[str, Page],
    log: Log,
    *,
    task_status: trio.TaskStatus[SocketAddress] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; `task_status.started` gets the bound address.

    Raises:
        ConfigError: the address can't be bound.
    """
    try:
        listeners = await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        reason = "in use by another program" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise ConfigError("metrics.address", f"{address} can't be bound: {reason}", "choose another address") from error
    free = trio.CapacityLimiter(MAX_CONNECTIONS)

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                free.acquire_nowait()
            except trio.WouldBlock:
                return
            try:
                await serve_connection(stream, table)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            except Exception:  # one scrape that fails must not end the gateway
                log.exception("metrics request failed")
            finally:
                free.release()

    bound = listeners[0].socket.getsockname()
    task_status.started(SocketAddress(bound[0], bound[1]))
    await trio.serve_listeners(serve, listeners)


async def serve_connection(stream: trio.abc.Stream, table: Mapping[str, Page]) -> None:
    """Answer requests on one connection until its peer leaves, errs or idles."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER)
    while True:
        try:
            request = await _next_request(connection, stream)
        except h11.RemoteProtocolError as error:
            await _send(connection, stream, Response(error.error_status_hint, b"not a request that can be followed\n"), last=True)
            return
        if request is None:
            return
        response = respond(request, table)
        last = response.status == CONTENT_TOO_LARGE
        await _send(connection, stream, response, last=last, head=request.method == b"HEAD")
        if last or connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _next_request(connection: h11.Connection, stream: trio.abc.Stream) -> h11.Request | None:
    """The next whole request, its empty body consumed; None when there won't be one."""
    request: h11.Request | None = None
    with trio.move_on_after(IDLE_SECONDS) as scope:
        while True:
            match connection.next_event():
                case h11.NEED_DATA:
                    data = await stream.receive_some(READ_SIZE)
                    if data and connection.trailing_data[0] == b"":
                        scope.deadline = min(scope.deadline, trio.current_time() + HEADER_SECONDS)
                    connection.receive_data(bytes(data))
                case h11.Request() as request:
                    if any(name in (b"transfer-encoding", b"content-length") for name, _ in request.headers):
                        return request
                case h11.EndOfMessage():
                    return request
                case h11.ConnectionClosed():
                    return None
    return None


async def _send(connection: h11.Connection, stream: trio.abc.Stream, response: Response, *, last: bool, head: bool = False) -> None:
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    headers = [("content-type", response.content_type), ("content-length", str(len(response.body))), ("cache-control", "no-store")]
    headers += [("allow", response.allow)] if response.allow else []
    headers += [("connection", "close")] if last else []
    octets = connection.send(h11.Response(status_code=response.status, headers=headers)) or b""
    octets += b"" if head else connection.send(h11.Data(data=response.body)) or b""
    octets += connection.send(h11.EndOfMessage()) or b""
    with trio.move_on_after(WRITE_SECONDS):
        await stream.send_all(octets)
