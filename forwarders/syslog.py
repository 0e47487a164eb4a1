"""The syslog destination: every record one RFC 5424 message, over UDP, TCP or TLS, to whatever collects logs (docs/forwarders/syslog.md).

    header            says
    PRI               the facility of the settings; the severity by OCSF's severity_id
    TIMESTAMP         the event's time, ms
    HOSTNAME          the computer the event is about
    APP-NAME          the settings', `tidegate`
    PROCID            nothing
    MSGID             the event's code: `4776`, `Stop`
    STRUCTURED-DATA   nothing; with an enterprise number `[tidegate@NUMBER uid="..." class_uid="..."]`
    MSG               the record in the form of the settings

A message longer than the receiver takes is parked: half a record is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from forwarders.destination import Delivered, Limits, Refusal
from forwarders.http.client import make_context
from forwarders.http.settings import ClientTls
from forwarders.payload import ENCODERS, parse_record
from forwarders.syslog_settings import StreamFraming, SyslogSettings, SyslogTransport
from forwarders.transports import Sender, TcpSender, UdpSender
from pipeline.index import Entry
from pipeline.metrics import Metrics
from pipeline.spool.row import Row
from wire.syslog_encoding import Element, encode_header
from wire.syslog_framing import Framing

FRAMINGS: Final[Mapping[StreamFraming, Framing]] = {
    StreamFraming.OCTET_COUNTING: Framing.OCTET_COUNTING,
    StreamFraming.LF: Framing.NON_TRANSPARENT,
}
INFORMATIONAL: Final = 6
SEVERITIES: Final[Mapping[int, int]] = {1: INFORMATIONAL, 2: 5, 3: 4, 4: 3, 5: 2, 6: 1}
"""OCSF's Informational, Low, Medium, High, Critical and Fatal as informational, notice, warning, error, critical and alert (RFC 5424 section 6.2.1)."""

OVERSIZE: Final = "oversize"
UNREADABLE: Final = "unreadable-record"
LIMITS: Final = Limits(octets=1 << 20)


class Syslog:
    """A Destination: one receiver.

    Args:
        settings: its table.
        metrics: where messages sent again are counted.
        sender: how messages leave; by the settings' address unless given.
    """

    limits: Final = LIMITS

    def __init__(self, settings: SyslogSettings, metrics: Metrics, *, sender: Sender | None = None) -> None:
        self._settings: Final = settings
        self._encode: Final = ENCODERS[settings.payload]
        self._facility: Final = settings.facility.code << 3
        self._sender: Final = sender or make_sender(settings, metrics)

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - a receiver has no memory of its own
        """Connect, and send again what the last connection may have lost.

        Raises:
            DeliveryError: RETRY; DENIED where a certificate or its file is no good.
        """
        await self._sender.connect()

    async def deliver(self, row: Row) -> Delivered:
        """Send every record, but for those too long. There is no state.

        Raises:
            DeliveryError: RETRY, and all are sent again; DENIED as `open`.
        """
        refused: dict[int, Refusal] = {}
        messages = []
        for place, message in enumerate(self._messages(row)):
            if isinstance(message, Refusal):
                refused[place] = message
            else:
                messages.append(message)
        if messages:
            await self._sender.send(messages)
        return Delivered(refused=refused)

    def _messages(self, row: Row) -> Iterator[bytes | Refusal]:
        for entry, text in zip(row.entries(), row.texts(), strict=True):
            try:
                record = parse_record(text)
            except ValueError as error:
                yield Refusal(UNREADABLE, str(error)[:200])
                continue
            message = self._header(entry, record) + (text if self._encode is None else self._encode(record))
            longest = self._settings.longest
            yield message if len(message) <= longest else Refusal(OVERSIZE, f"{len(message)} octets are more than the {longest} of a message")

    def _header(self, entry: Entry, record: Mapping[str, Any]) -> bytes:
        settings, severity = self._settings, record.get("severity_id")
        data: tuple[Element, ...] = ()
        if settings.enterprise is not None:
            data = (Element(f"tidegate@{settings.enterprise}", {"uid": str(UUID(bytes=entry.uid)), "class_uid": str(entry.class_uid)}),)
        return encode_header(
            pri=self._facility | (SEVERITIES.get(severity, INFORMATIONAL) if isinstance(severity, int) else INFORMATIONAL),
            time_ms=entry.time_ms,
            hostname=entry.computer,
            app_name=settings.app_name,
            msgid=entry.event_code,
            data=data,
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._sender.close()


def make_sender(settings: SyslogSettings, metrics: Metrics) -> Sender:
    """The way to the receiver that the settings name."""
    transport, address = settings.address
    if transport is SyslogTransport.UDP:
        return UdpSender(address)
    tls = settings.tls or ClientTls()
    return TcpSender(
        address,
        framing=FRAMINGS[settings.framing],
        tls=(lambda: make_context(tls)) if transport is SyslogTransport.TLS else None,
        server_name=settings.server_name or "",
        window=settings.resend,
        resent=metrics.resent.labels(settings.name).inc,
    )
