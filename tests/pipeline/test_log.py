"""The log holds what a peer wrote harmless, secrets unseen, and its own volume bounded."""

from __future__ import annotations

import io
import logging

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.escape import escape_text
from pipeline.log import ALL_BURST, MAX_PEERS, PEER_BURST, PEER_SECONDS_PER_LINE, LogFormat, LogSettings, PeerLog
from pipeline.log_lines import LibraryVoice, open_log


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.CONSOLE])
@given(text=st.text())
def test_no_text_of_a_peer_reaches_the_stream_as_a_control(form: LogFormat, text: str) -> None:
    stream = io.StringIO()
    open_log(stream, LogSettings(format=form)).warning(text, peer=text, deep={text: [text]}, raw=text.encode("utf-8", "surrogatepass"))
    written = stream.getvalue()
    assert written.endswith("\n")
    assert written[:-1].isprintable()


def test_auto_is_json_off_a_terminal() -> None:
    stream = io.StringIO()
    open_log(stream, LogSettings()).info("hello", answer=42)
    (line,) = lines(stream)
    assert line["event"] == "hello"
    assert line["answer"] == 42
    assert line["level"] == "info"


def test_levels_filter() -> None:
    stream = io.StringIO()
    log = open_log(stream, LogSettings(level="warning"))
    log.info("unsaid")
    log.warning("said")
    assert [line["event"] for line in lines(stream)] == ["said"]


@pytest.mark.parametrize("name", ["secret", "radius_secret", "Password", "api_token", "authorization"])
def test_secrets_are_starred(name: str) -> None:
    stream = io.StringIO()
    open_log(stream, LogSettings()).info("loaded", **{name: "hunter2hunter2"})
    assert "hunter2" not in stream.getvalue()


def test_long_texts_are_shortened() -> None:
    stream = io.StringIO()
    open_log(stream, LogSettings()).info("got", text="x" * 100_000)
    assert len(stream.getvalue()) < 1000


def test_escapes_are_readable() -> None:
    assert escape_text("a\x1b[31m\nb\u2028\x9b") == "a\\x1b[31m\\nb\\u2028\\x9b"


def test_one_peer_gets_a_burst_then_one_line_per_period() -> None:
    stream, clock = io.StringIO(), Clock()
    peers = PeerLog(open_log(stream, LogSettings()), clock)
    for _ in range(100):
        peers.warning("refused", peer="192.0.2.1")
    assert len(lines(stream)) == PEER_BURST
    clock.now += PEER_SECONDS_PER_LINE
    peers.warning("refused", peer="192.0.2.1")
    assert len(lines(stream)) == PEER_BURST + 1
    assert lines(stream)[-1]["suppressed"] == 100 - PEER_BURST


def test_forged_peers_share_one_bucket_and_a_bounded_table() -> None:
    stream, clock = io.StringIO(), Clock()
    peers = PeerLog(open_log(stream, LogSettings()), clock)
    for n in range(MAX_PEERS * 3):
        peers.warning("refused", peer=f"192.0.{n // 256}.{n % 256}")
    assert len(lines(stream)) == ALL_BURST
    assert len(peers._peers) == MAX_PEERS


def test_a_clock_that_goes_back_is_no_harm() -> None:
    stream, clock = io.StringIO(), Clock()
    peers = PeerLog(open_log(stream, LogSettings()), clock)
    clock.now -= 500
    peers.warning("refused", peer="192.0.2.1")
    assert len(lines(stream)) == 1


def test_libraries_speak_a_line_at_a_time_and_no_tracebacks() -> None:
    stream, clock = io.StringIO(), Clock()
    voice = LibraryVoice(open_log(stream, LogSettings()), clock)
    library = logging.getLogger("tests.library")
    library.propagate = False
    library.addHandler(voice)
    for _ in range(100):
        library.error("accept returned %s", "EMFILE", exc_info=OSError(24, "Too many open files"))
    library.info("unsaid")
    assert [(line["event"], line["level"], line["library"]) for line in lines(stream)] == [("accept returned EMFILE", "error", library.name)] * PEER_BURST
    assert "Traceback" not in stream.getvalue()
    clock.now += PEER_SECONDS_PER_LINE
    library.warning("again")
    assert len(lines(stream)) == PEER_BURST + 1
