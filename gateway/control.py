"""The control socket: how other commands ask the running gateway, `state_dir/control.sock`.

A UNIX stream socket of mode 0600. Newline-delimited JSON, one reply per request, in order:

    {"command": "rejects.last", "last": 5, "reason": "bad-time"}   ->   {"ok": true, "result": [...]}
                                                                        {"ok": false, "error": {"what": ..., "why": ..., "fix": ...}}

A request that has octets of its own says how many, `"octets": 1024`, and they follow its line: at most 4 MiB, within 60 s.

Only this user and root are served (SO_PEERCRED, unix(7)): the mode is the door, the credentials are the lock. A line ends within 64 KiB
and 10 s, 16 connections are served at a time. Which commands there are is the table that `gateway.app` hands in.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import trio

from pipeline.errors import ConfigError, GatewayError
from pipeline.log import Log

SOCKET_NAME: Final = "control.sock"
MAX_LINE: Final = 64 << 10
MAX_REPLY: Final = 64 << 20
LINE_SECONDS: Final = 10.0
MAX_BODY: Final = 4 << 20
BODY_SECONDS: Final = 60.0
MAX_CONNECTIONS: Final = 16
MAX_SUN_PATH: Final = 107  # sockaddr_un, unix(7)
UCRED: Final = struct.Struct("=iII")  # pid, uid, gid


class ControlError(GatewayError):
    """A request was refused, or nobody answered it; what, why and fix as in ConfigError."""

    def __init__(self, what: str, why: str, fix: str = "") -> None:
        super().__init__(f"{what}: {why}; {fix}" if fix else f"{what}: {why}")
        self.what, self.why, self.fix = what, why, fix


class NotRunningError(ControlError):
    """No gateway runs on this state directory."""


class NoAnswerError(ControlError):
    """The gateway was asked and didn't answer: nobody knows whether it did what was asked."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the running gateway.

    command:    a name of the table.
    arguments:  what else the line held.
    body:       octets that followed the line.
    """

    command: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    body: bytes = b""

    def text(self, name: str) -> str | None:
        """An argument that has to be text; None where there is none.

        Raises:
            ControlError: it is something else.
        """
        found = self.arguments.get(name)
        if found is None or isinstance(found, str):
            return found
        raise ControlError(self.command, f"{name} is not a text")

    def number(self, name: str, default: int) -> int:
        """An argument that has to be a number of at least 1.

        Raises:
            ControlError: it is something else.
        """
        found = self.arguments.get(name, default)
        if type(found) is int and found >= 1:
            return found
        raise ControlError(self.command, f"{name} is not a number of at least 1")


Command = Callable[[Request], Awaitable[object]]
"""Answers a request with a value that orjson can write; raises GatewayError to refuse it."""


async def serve_control(state_dir: Path, commands: Mapping[str, Command], log: Log, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve until cancelled. The caller holds the state directory's lock, so a socket already there is nobody's.

    Raises:
        ConfigError: the socket can't be made.
    """
    path = state_dir / SOCKET_NAME
    with _address(path) as address, trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        try:
            if path.is_socket():
                path.unlink()
            await _bind(listening, address)
        except OSError as error:
            raise ConfigError(str(path), f"can't be made: {error.strerror}", "check the state directory's owner and mode") from error
        listening.listen(MAX_CONNECTIONS)
        free = trio.CapacityLimiter(MAX_CONNECTIONS)

        async def serve(stream: trio.SocketStream) -> None:
            uid = _peer_uid(stream.socket)
            async with stream:
                if uid not in (os.geteuid(), 0):
                    log.warning("control connection refused", uid=uid)
                    return
                with contextlib.suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                    free.acquire_nowait()
                    try:
                        await serve_connection(stream, commands, log)
                    finally:
                        free.release()

        task_status.started()
        try:
            await trio.serve_listeners(serve, [trio.SocketListener(listening)])
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


async def serve_connection(stream: trio.abc.Stream, commands: Mapping[str, Command], log: Log) -> None:
    """Answer each line until the peer leaves, dawdles or sends one that is too long."""
    lines = _Lines(stream, MAX_LINE)
    while (line := await lines.next(LINE_SECONDS)) is not None:
        try:
            asked = _parse(line)
            body = await lines.take(_octets(asked), BODY_SECONDS)
            if body is None:
                return
            reply = _encode({"ok": True, "result": await _answer(asked, body, commands)})
        except _UnboundedError as error:
            log.warning("control request refused", why=str(error))
            return
        except GatewayError as error:
            what, why, fix = (getattr(error, name, "") for name in ("what", "why", "fix"))
            reply = _encode({"ok": False, "error": {"what": what, "why": why or str(error), "fix": fix}})
        except Exception:  # one question that fails must not end the gateway
            log.exception("control command failed")
            reply = _encode({"ok": False, "error": {"what": "the running gateway", "why": "failed to answer", "fix": "its log says why"}})
        with trio.move_on_after(LINE_SECONDS) as scope:
            await stream.send_all(reply)
        if scope.cancelled_caught:
            return


def _encode(reply: object) -> bytes:
    return orjson.dumps(reply, default=str) + b"\n"


class _UnboundedError(GatewayError):
    """Nobody knows where the next request begins."""


def _parse(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _octets(asked: object) -> int:
    octets = asked.pop("octets", 0) if isinstance(asked, dict) else 0
    if type(octets) is not int or not 0 <= octets <= MAX_BODY:
        raise _UnboundedError(f"octets have to be a number up to {MAX_BODY}")
    return octets


async def _answer(asked: object, body: bytes, commands: Mapping[str, Command]) -> object:
    name = asked.pop("command", None) if isinstance(asked, dict) else None
    if not isinstance(asked, dict) or not isinstance(name, str):
        raise ControlError("control", 'a request is {"command": NAME, ...} on one line')
    command = commands.get(name)
    if command is None:
        raise ControlError(name[:64], "is not a command of this gateway", f"it has {', '.join(sorted(commands))}")
    return await command(Request(name, asked, body))


async def ask(state_dir: Path, request: Request, *, seconds: float = 30.0) -> object:
    """Ask the gateway that runs on `state_dir`.

    Returns:
        What its command answered, as orjson reads it.

    Raises:
        NotRunningError: nobody listens there.
        NoAnswerError: it didn't answer in `seconds`, or went away.
        ControlError: it refused.
    """
    path = state_dir / SOCKET_NAME
    with trio.move_on_after(seconds), _address(path) as address, trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connecting:
        try:
            await connecting.connect(address)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(str(state_dir), "no gateway is running on this state directory", "start it with `tidegate run`") from error
        except OSError as error:
            raise ControlError(str(path), f"can't be connected to: {error.strerror}", "run this as the gateway's user or as root") from error
        stream = trio.SocketStream(connecting)
        with contextlib.suppress(trio.BrokenResourceError):
            octets = {"octets": len(request.body)} if request.body else {}
            await stream.send_all(orjson.dumps({**request.arguments, **octets, "command": request.command}) + b"\n" + request.body)
            line = await _Lines(stream, MAX_REPLY).next(seconds)
            if line is not None:
                reply = orjson.loads(line)
                if reply["ok"]:
                    return reply["result"]
                raise ControlError(**reply["error"])
    raise NoAnswerError(str(path), "the running gateway didn't answer", "its log may say why")


class _Lines:
    """The whole lines that come in on a stream, one at a time."""

    def __init__(self, stream: trio.abc.Stream, limit: int) -> None:
        self._stream, self._limit, self._kept = stream, limit, bytearray()

    async def take(self, octets: int, seconds: float) -> bytes | None:
        """So many octets; None where they don't come in `seconds`."""
        with trio.move_on_after(seconds):
            while len(self._kept) < octets:
                data = await self._stream.receive_some(64 << 10)
                if not data:
                    return None
                self._kept += data
        if len(self._kept) < octets:
            return None
        taken = bytes(self._kept[:octets])
        del self._kept[:octets]
        return taken

    async def next(self, seconds: float) -> bytes | None:
        """The next line without its LF; None at the end, after `seconds` without one, and at one longer than the limit."""
        end, searched = -1, 0
        with trio.move_on_after(seconds):
            while (end := self._kept.find(b"\n", searched)) < 0 and len(self._kept) <= self._limit:
                searched = len(self._kept)
                data = await self._stream.receive_some(64 << 10)
                if not data:
                    break
                self._kept += data
        if end < 0:
            return None
        line = bytes(self._kept[:end])
        del self._kept[: end + 1]
        return line


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """An address for `path`: where it is too long for a sockaddr_un, by way of its folder's descriptor (proc(5))."""
    if len(os.fsencode(path)) <= MAX_SUN_PATH:
        yield str(path)
        return
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        yield str(path.parent)[:MAX_SUN_PATH]  # connect and bind then say that it isn't there
        return
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def _bind(listening: trio.socket.SocketType, address: str) -> None:
    mask = os.umask(stat.S_IRWXG | stat.S_IRWXO | stat.S_IXUSR)
    try:
        await listening.bind(address)
    finally:
        os.umask(mask)


def _peer_uid(connected: trio.socket.SocketType) -> int:
    _pid, uid, _gid = UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
    return int(uid)
