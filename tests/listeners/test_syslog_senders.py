"""Programs nobody here wrote as senders: every message over TCP and TLS arrives, every datagram arrives or is reported as dropped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trustme
from support.syslog_listening import listening, settings
from support.syslog_senders import loggen, logger, rsyslog

from kernel import Engine
from pipeline.model import Transport

LINES = [f"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>{number} {'x' * (number % 900)}</Event>" for number in range(5000)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    sender = authority.issue_cert("dc01.contoso.example")
    sender.private_key_pem.write_to_path(tmp_path / "sender.key")
    sender.cert_chain_pems[0].write_to_path(tmp_path / "sender.pem")
    return tmp_path


def tls(**more: object) -> dict[str, object]:
    return {"tls": {"addresses": ["127.0.0.1:0"], "certificate": "server.pem", "key": "server.pem", **more}}


TO_TLS = 'protocol="tcp" StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'


@pytest.mark.parametrize(
    ("transport", "action"),
    [
        (Transport.TLS, f'{TO_TLS} TCP_Framing="octet-counted"'),
        (Transport.TLS, TO_TLS),
        (Transport.TCP, 'protocol="tcp" TCP_Framing="octet-counted"'),
        (Transport.TCP, 'protocol="tcp"'),
    ],
    ids=["tls counted", "tls lines", "tcp counted", "tcp lines"],
)
async def test_rsyslog(folder: Path, transport: Transport, action: str) -> None:
    feed = folder / "feed.log"
    feed.write_text("".join(f"{line}\n" for line in LINES))
    async with listening(settings({"tcp": ["127.0.0.1:0"], **tls(client_ca=["ca.pem"])}, folder), engine=Engine.NATIVE) as listener:
        async with rsyslog(listener.address(transport), folder, action=action, feed=feed):
            arrived = await listener.intake.arrived(len(LINES))
        await listener.drained()
        found = [re.fullmatch(rb"<133>1 \S+ \S+ feed - - - +(.*)", message, re.DOTALL) for message in arrived]
        assert [match and match[1].decode() for match in found] == LINES
        assert (listener.intake.received, listener.intake.rejected) == (len(LINES), {})
        assert {batch.origin.identity for batch in listener.intake.batches} == {"dc01.contoso.example" if transport is Transport.TLS else None}


@pytest.mark.parametrize(
    ("transport", "options"),
    [
        (
            Transport.TCP,
            (
                "--inet",
                "--stream",
            ),
        ),
        (Transport.TCP, ("--inet", "--stream", "--syslog-proto")),
        (Transport.TCP, ("--inet", "--stream", "--syslog-proto", "--no-framing")),
        (Transport.TLS, ("--use-ssl",)),
        (Transport.TLS, ("--use-ssl", "--syslog-proto")),
    ],
    ids=["tcp rfc3164 lines", "tcp rfc5424 counted", "tcp rfc5424 lines", "tls rfc3164 lines", "tls rfc5424 counted"],
)
async def test_loggen_over_streams(folder: Path, transport: Transport, options: tuple[str, ...]) -> None:
    async with listening(settings({"tcp": ["127.0.0.1:0"], **tls()}, folder), engine=Engine.NATIVE) as listener:
        sent = await loggen(listener.address(transport), *options, messages=5000, connections=4)
        await listener.intake.arrived(sent)
        await listener.drained()
        assert sent == 20_000
        assert (listener.intake.received, listener.intake.rejected) == (sent, {})


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
@pytest.mark.parametrize("receive_buffer", ["64 KiB", "16 MiB"])
async def test_loggen_over_udp(address: str, receive_buffer: str) -> None:
    async with listening(settings({"udp": [address], "receive_buffer": receive_buffer})) as listener:
        sent = await loggen(listener.address(Transport.UDP), "--inet", "--dgram", messages=20_000)
        await listener.drained()
        dropped = int(sum(sample.value for metric in listener.metrics.kernel_drops.collect() for sample in metric.samples if sample.name.endswith("_total")))
        assert sent == 20_000
        assert listener.intake.received + dropped == sent


@pytest.mark.parametrize(
    ("transport", "options"),
    [
        (Transport.UDP, ("--udp",)),
        (Transport.UDP, ("--udp", "--rfc5424")),
        (Transport.TCP, ("--tcp", "--rfc3164")),
        (Transport.TCP, ("--tcp", "--rfc5424", "--octet-count")),
    ],
    ids=["udp", "udp rfc5424", "tcp rfc3164 lines", "tcp rfc5424 counted"],
)
async def test_logger(transport: Transport, options: tuple[str, ...]) -> None:
    lines = [f"message {number}" for number in range(500)]
    async with listening(settings({"udp": ["127.0.0.1:0"], "tcp": ["127.0.0.1:0"]})) as listener:
        sent = await logger(listener.address(transport), *options, lines=lines)
        arrived = await listener.intake.arrived(sent)
        await listener.drained()
        assert listener.intake.received == sent
        assert all(message.rstrip(b"\n\x00").endswith(line.encode()) for message, line in zip(arrived, lines, strict=True))
