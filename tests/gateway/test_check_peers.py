"""The questions that check sends in datagrams are answered by servers that nobody here wrote: MIT's KDC and FreeRADIUS."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio
from support.freeradius import running_freeradius
from support.kdc import running_kdc

from gateway.check.asks import Answer, ask_datagram, ask_radius
from gateway.check.connect import ask_all
from gateway.check.findings import Finding, Level
from gateway.check.prerequisites import load_prerequisites
from gateway.check.questions import Question
from pipeline.settings import SocketAddress

PATIENCE_S = 20.0


def answer(ask: Callable[[], Awaitable[Answer]], seconds: float = PATIENCE_S) -> Finding:
    (found,) = trio.run(partial(ask_all, [Question("c", "w", ask, Level.ERROR, Level.UNKNOWN, "f")], seconds=seconds, at_once=1))
    return found


def test_a_kdc_answers_our_request(tmp_path: Path) -> None:
    (row,) = [row for row in load_prerequisites().prerequisites if row.name == "dc-kerberos-udp"]
    with running_kdc(tmp_path) as kdc:
        found = re.search(r"kdc = 127\.0\.0\.1:([0-9]+)", kdc.config.read_text())
        assert found is not None
        address = SocketAddress("127.0.0.1", int(found[1]))
        assert answer(partial(ask_datagram, address, row.question)).level is Level.OK


def test_a_radius_server_answers_status_server(tmp_path: Path) -> None:
    with running_freeradius(tmp_path) as home:
        address = SocketAddress(*home.address)
        assert answer(partial(ask_radius, address, home.secret.encode())).level is Level.OK
        assert answer(partial(ask_radius, address, b"another secret of ours"), seconds=0.5).level is Level.UNKNOWN
