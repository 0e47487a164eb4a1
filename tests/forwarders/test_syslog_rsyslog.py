"""The syslog destination with a real rsyslog as the next hop, over TCP and TLS, killed with and without unread messages in its system's buffer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trustme
from support.batches import batch_of, name_of
from support.rsyslog_receiver import RsyslogReceiver, stop

from forwarders.syslog import Syslog
from forwarders.syslog_settings import SyslogSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.metrics import Metrics
from pipeline.spool.row import Row

ROW = 20


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("receiver", "sender"):
        issued = authority.issue_cert("127.0.0.1", common_name=name)
        issued.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        (tmp_path / f"{name}.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    return tmp_path


def destination(receiver: RsyslogReceiver, metrics: Metrics, **given: object) -> Syslog:
    host, port = receiver.address
    transport = "tls" if "tls" in given else "tcp"
    table = {"name": "siem", "kind": "syslog", "address": f"{transport}://{host}:{port}", "facility": "user", **given}
    return Syslog(SyslogSettings.model_validate(table), metrics)


def row_of(first: int) -> Row:
    batch = batch_of(range(first, first + ROW), octets=600)
    return Row.whole(batch.records, batch.index, first)


def names(received: bytes) -> set[int]:
    return {name_of(record) for record in re.findall(rb'\{"name":[0-9]+,"pad":"x*"\}', received)}


async def deliver(siem: Syslog, first: int) -> int:
    """As the delivery loop would: again after every failure. Returns how many there were."""
    for failures in range(10):
        try:
            if failures:
                await siem.open(b"")
            await siem.deliver(row_of(first))
        except DeliveryError as error:
            if error.fault is not Fault.RETRY:
                raise
            await siem.close()
        else:
            return failures
    raise AssertionError("it never took them")


def tls_of(folder: Path, framing: str, *, own: bool = False) -> dict[str, object]:
    tls = {"ca": [str(folder / "ca.pem")]} | ({"certificate": str(folder / "sender.pem"), "key": str(folder / "sender.key")} if own else {})
    return {"framing": framing, "tls": tls}


@pytest.mark.parametrize("framing", ["octet-counting", "lf"])
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
async def test_nothing_acknowledged_is_lost_when_the_receiver_is_killed(certificates: Path, framing: str, tls: bool) -> None:  # noqa: FBT001 - a parameter
    receiver, metrics = RsyslogReceiver(certificates, tls=tls), Metrics()
    async with receiver.running() as rsyslog:
        siem = destination(receiver, metrics, **(tls_of(certificates, framing) if tls else {"framing": framing}))
        await siem.open(b"")
        assert await deliver(siem, 0) == 0
        await receiver.until(lambda received: len(names(received)) == ROW)
        stop(rsyslog)
        assert [await deliver(siem, first) for first in (ROW, 2 * ROW)] == [0, 0]  # acknowledged, and nobody reads
        rsyslog.kill()
        await rsyslog.wait()
    assert names(receiver.received()) == set(range(ROW))
    async with receiver.running() as rsyslog:
        assert await deliver(siem, 3 * ROW) == 1
        assert await deliver(siem, 4 * ROW) == 0
        rsyslog.kill()  # in the midst of it
        await rsyslog.wait()
    async with receiver.running():
        await deliver(siem, 5 * ROW)
        messages = await receiver.until(lambda received: len(names(received)) == 6 * ROW)
        await siem.close()
    assert names(messages) == set(range(6 * ROW))
    assert metrics.value("tidegate_resent_total", destination="siem") >= 3 * ROW


async def test_the_receivers_certificate_is_judged(certificates: Path) -> None:
    receiver = RsyslogReceiver(certificates, tls=True)
    async with receiver.running():
        other = trustme.CA()
        other.cert_pem.write_to_path(str(certificates / "other.pem"))
        wrong: Sequence[dict[str, object]] = (
            {"tls": {"ca": [str(certificates / "other.pem")]}},
            {"tls": {"ca": [str(certificates / "ca.pem")]}, "server_name": "siem.contoso.example"},
        )
        for given in wrong:
            with pytest.raises(DeliveryError) as refused:
                await destination(receiver, Metrics(), **given).open(b"")
            assert (refused.value.reason, refused.value.fault) == ("tls-certificate", Fault.DENIED)


async def test_our_certificate_is_shown_to_a_receiver_that_asks(certificates: Path) -> None:
    receiver = RsyslogReceiver(certificates, tls=True, asks=True)
    async with receiver.running():
        with pytest.raises(DeliveryError) as refused:
            await deliver_once(destination(receiver, Metrics(), **tls_of(certificates, "octet-counting")))
        assert (refused.value.reason, refused.value.fault) == ("tls-refused", Fault.DENIED)
        await deliver_once(destination(receiver, Metrics(), **tls_of(certificates, "octet-counting", own=True)))
        await receiver.until(lambda received: names(received) == set(range(ROW)))


async def deliver_once(siem: Syslog) -> None:
    try:
        await siem.open(b"")
        await siem.deliver(row_of(0))
    finally:
        with trio.CancelScope(shield=True):
            await siem.close()
