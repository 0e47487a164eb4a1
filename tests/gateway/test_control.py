"""The control socket answers each line, refuses what it can't follow, and survives any peer."""

from __future__ import annotations

import io
import stat
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway import control
from gateway.control import (
    BODY_SECONDS,
    LINE_SECONDS,
    MAX_BODY,
    MAX_LINE,
    SOCKET_NAME,
    Command,
    ControlError,
    NotRunningError,
    Request,
    ask,
    serve_connection,
    serve_control,
)
from pipeline.errors import SpoolError
from pipeline.log import LogSettings
from pipeline.log_lines import open_log

LOG = open_log(io.StringIO(), LogSettings())


async def echo(request: Request) -> object:
    return {"text": request.text("text"), "last": request.number("last", 20)}


async def refuse(_request: Request) -> object:
    raise SpoolError("spool.db", "is damaged", "restore it")


async def measure(request: Request) -> object:
    return {"octets": len(request.body), "text": request.text("text")}


async def fail(_request: Request) -> object:
    raise RuntimeError("a bug")


COMMANDS: Mapping[str, Command] = {"echo": echo, "refuse": refuse, "fail": fail, "measure": measure}


async def converse(sent: bytes) -> bytes:
    client, server = trio.testing.memory_stream_pair()
    answer = bytearray()

    async def read() -> None:
        async for data in client:
            answer.extend(data)

    async def serve() -> None:
        async with server:
            await serve_connection(server, COMMANDS, LOG)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        nursery.start_soon(read)
        await client.send_all(sent)
        await client.send_eof()
    return bytes(answer)


async def test_replies_come_in_order() -> None:
    answer = await converse(b'{"command": "echo", "text": "a"}\n{"command": "echo", "last": 3}\n')
    assert [orjson.loads(line)["result"] for line in answer.splitlines()] == [{"text": "a", "last": 20}, {"text": None, "last": 3}]


#   line                                          why, as told                      id
REFUSED = [
    (b"",                                         "one line",                       "an empty line"),
    (b"{",                                        "one line",                       "no JSON"),
    (b"[1]",                                      "one line",                       "no object"),
    (b'{"command": 7}',                           "one line",                       "no name"),
    (b'{"command": "reboot"}',                    "not a command",                  "an unknown name"),
    (b'{"command": "echo", "text": 7}',           "not a text",                     "an argument of another kind"),
    (b'{"command": "echo", "last": 0}',           "at least 1",                     "a number too small"),
    (b'{"command": "echo", "last": true}',        "at least 1",                     "a truth for a number"),
    (b'{"command": "refuse"}',                    "is damaged",                     "a command that refuses"),
    (b'{"command": "fail"}',                      "failed to answer",               "a command with a bug"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), [case[:2] for case in REFUSED], ids=[case[2] for case in REFUSED])
async def test_a_refusal_says_why_and_the_connection_goes_on(line: bytes, why: str) -> None:
    first, second = (await converse(line + b'\n{"command": "echo"}\n')).splitlines()
    assert why in orjson.loads(first)["error"]["why"]
    assert orjson.loads(second)["ok"]


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_octets_of_a_request_are_no_lines(bodies: list[bytes]) -> None:
    sent = b"".join(orjson.dumps({"command": "measure", "octets": len(body)}) + b"\n" + body for body in bodies)
    answer = trio.run(converse, sent)
    assert [orjson.loads(line)["result"]["octets"] for line in answer.splitlines()] == list(map(len, bodies))


@pytest.mark.parametrize("octets", [-1, MAX_BODY + 1, True, "7", None, 1.5], ids=str)
async def test_octets_that_are_no_number_end_the_connection(octets: object) -> None:
    """Nobody could tell where the next request begins."""
    assert await converse(orjson.dumps({"command": "measure", "octets": octets}) + b"\n{}\n") == b""


async def test_octets_that_never_come_are_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    await client.send_all(b'{"command": "measure", "octets": 9}\nfour')
    started = trio.current_time()
    await serve_connection(server, COMMANDS, LOG)
    assert trio.current_time() - started == pytest.approx(BODY_SECONDS, abs=1)


async def test_a_line_without_end_is_not_kept() -> None:
    assert await converse(b"x" * (MAX_LINE + 70_000)) == b""


@given(st.binary(max_size=200))
def test_any_octets_get_one_reply_per_line(sent: bytes) -> None:
    answer = trio.run(converse, sent)
    assert answer.count(b"\n") == sent.count(b"\n")
    assert all("ok" in orjson.loads(line) for line in answer.splitlines())


async def test_a_peer_that_says_nothing_is_left(autojump_clock: trio.testing.MockClock) -> None:
    _client, server = trio.testing.memory_stream_pair()
    started = trio.current_time()
    await serve_connection(server, COMMANDS, LOG)
    assert trio.current_time() - started == pytest.approx(LINE_SECONDS, abs=1)


@pytest.mark.parametrize("folder", ["state", "x" * 100 + "/" + "y" * 100], ids=["short", "longer than a sockaddr_un"])
async def test_a_command_asks_the_running_gateway(tmp_path: Path, folder: str) -> None:
    state = tmp_path / folder
    state.mkdir(parents=True)
    with pytest.raises(NotRunningError):
        await ask(state, Request("echo"))
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, state, COMMANDS, LOG)
        assert stat.S_IMODE((state / SOCKET_NAME).stat().st_mode) == 0o600
        assert await ask(state, Request("echo", {"text": "é", "last": 2})) == {"text": "é", "last": 2}
        with pytest.raises(ControlError, match=r"spool.db: is damaged; restore it"):
            await ask(state, Request("refuse"))
        nursery.cancel_scope.cancel()
    assert not (state / SOCKET_NAME).exists()
    with pytest.raises(NotRunningError):
        await ask(state, Request("echo"))


async def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, tmp_path, COMMANDS, LOG)
            (tmp_path / SOCKET_NAME).rename(tmp_path / "kept")
            nursery.cancel_scope.cancel()
        (tmp_path / "kept").rename(tmp_path / SOCKET_NAME)


async def test_another_user_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_peer_uid", lambda _socket: 4242)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, tmp_path, COMMANDS, LOG)
        with pytest.raises(ControlError, match="didn't answer"):
            await ask(tmp_path, Request("echo"))
        nursery.cancel_scope.cancel()
