"""The sensor forwarder: required events to a standalone sensor, as the SIEM syslog it documents (docs/protocol/siem.md).

A record becomes an event again (`forwarders.encoders.windows_event`), the event a message in the chosen layout. QRadar's document
shows a syslog header and gets one; the others go without, ArcSight's because it forbids one, Splunk's and RSA's because they needn't.

Left out, and counted by reason when the rest of the row was sent:

    event-not-in-layout   the layout has no place for this event (CEF and RSA document 4776 alone)
    no-event-time         the event came without a time that could be read; a sensor must never be given the arrival's
    oversize              too long for the transport, and not for its values

A message longer than the transport takes has its longest value cut until it fits, and is counted (`tidegate_shortened_total`): an
attacker who pads a service's path mustn't be able to keep its installation from the sensor.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from forwarders.destination import BATCH_OCTETS, Delivered, Limits
from forwarders.encoders.windows_event import restore
from forwarders.sensor_settings import SensorLayout, SensorSettings, SensorTransport
from forwarders.transports import Sender, TcpSender, UdpSender
from pipeline.errors import DeliveryError, Fault
from pipeline.index import Entry
from pipeline.metrics import Metrics
from pipeline.settings import SocketAddress
from pipeline.spool.row import Row
from wire.event import WindowsEvent
from wire.event_time import format_ctime
from wire.layouts import cef_windows, qradar, rsa, splunk
from wire.layouts.layout import Layout

LAYOUTS: Final[Mapping[SensorLayout, Layout]] = {
    SensorLayout.SPLUNK: splunk.LAYOUT,
    SensorLayout.QRADAR: qradar.LAYOUT,
    SensorLayout.CEF: cef_windows.LAYOUT,
    SensorLayout.RSA: rsa.LAYOUT,
}
SENDERS: Final[Mapping[SensorTransport, Callable[[SocketAddress, Callable[[int], None]], Sender]]] = {
    SensorTransport.UDP: lambda address, _: UdpSender(address),
    SensorTransport.TCP: lambda address, resent: TcpSender(address, resent=resent),
}

PRI: Final = 13
"""user.notice (RFC 3164 section 4.1.1), what the document's sample has."""

NOT_IN_LAYOUT: Final = "event-not-in-layout"
NO_EVENT_TIME: Final = "no-event-time"
OVERSIZE: Final = "oversize"

BASE_EVENT: Final = 0

_NOT_IN_HOSTNAME: Final = re.compile(r"[^!-~]")


class Sensor:
    """A Destination: one layout, one address.

    Args:
        settings: its table.
        metrics: where skipped and shortened records are counted, and those sent again.
        clock: nanoseconds since the Unix epoch, for the header.
        hostname: this machine's, for the header.
        sender: how messages leave; by the settings' address unless given.
    """

    limits: Final = Limits(octets=BATCH_OCTETS)

    def __init__(self, settings: SensorSettings, metrics: Metrics, *, clock: Callable[[], int], hostname: str, sender: Sender | None = None) -> None:
        transport, address = settings.address
        self._name: Final = settings.name
        self._layout: Final = LAYOUTS[settings.layout]
        self._sender: Final = sender or SENDERS[transport](address, metrics.resent.labels(settings.name).inc)
        self._headed: Final = settings.layout is SensorLayout.QRADAR
        self._metrics: Final = metrics
        self._clock: Final = clock
        self._hostname: Final = _NOT_IN_HOSTNAME.sub("-", hostname)[:255] or "-"

    async def open(self, state: bytes) -> None:  # noqa: ARG002 - a sensor has no memory of its own
        """Connect.

        Raises:
            DeliveryError: RETRY.
        """
        await self._sender.connect()

    async def deliver(self, row: Row) -> Delivered:
        """Send every record that the layout carries; the others are skipped. There is no state.

        Raises:
            DeliveryError: RETRY, and what was sent before is sent again with the same record IDs; `unreadable-record`, which is REFUSED.
        """
        skipped: Counter[str] = Counter()
        messages: list[bytes] = []
        shortened = 0
        for entry, record in zip(row.entries(), row.texts(), strict=True):
            event = self._restore(record) if self._carries(entry) else None
            if event is None or event.time is None:
                skipped[NOT_IN_LAYOUT if event is None else NO_EVENT_TIME] += 1
                continue
            message = self._encode(event)
            if len(message) > self._sender.max_message:
                cut = self._shorten(event, message)
                if cut is None:
                    skipped[OVERSIZE] += 1
                    continue
                message, shortened = cut, shortened + 1
            messages.append(message)
        if messages:
            await self._sender.send(messages)
        for reason, count in skipped.items():
            self._metrics.skipped.labels(self._name, reason).inc(count)
        if shortened:
            self._metrics.shortened.labels(self._name).inc(shortened)
        return Delivered(skipped=skipped.total())

    async def close(self) -> None:
        """Disconnect."""
        await self._sender.close()

    def _carries(self, entry: Entry) -> bool:
        """By the index alone: a Base Event with a required event's ID is another provider's."""
        return entry.class_uid != BASE_EVENT and (self._layout.carries is None or entry.event_code in self._layout.carries)

    def _restore(self, record: bytes) -> WindowsEvent:
        try:
            return restore(record)
        except ValueError as error:
            raise DeliveryError("unreadable-record", Fault.REFUSED, detail=str(error)[:200]) from error

    def _encode(self, event: WindowsEvent) -> bytes:
        payload = self._layout.encode_event(event)
        if not self._headed:
            return payload
        return b"<%d>%s %s %s" % (PRI, format_ctime(self._clock())[4:19].encode(), self._hostname.encode(), payload)

    def _shorten(self, event: WindowsEvent, message: bytes) -> bytes | None:
        """Cut the longest value, and then the next longest, until the message fits; None if no value is left to cut."""
        while (excess := len(message) - self._sender.max_message) > 0:
            at, (name, value) = max(enumerate(event.data), key=lambda pair: len(pair[1][1]), default=(0, ("", "")))
            if not value:
                return None
            octets = value.encode("utf-8", "replace")
            kept = octets[: max(0, len(octets) - excess)].decode("utf-8", "ignore")
            event = dataclasses.replace(event, data=(*event.data[:at], (name, kept), *event.data[at + 1 :]))
            message = self._encode(event)
        return message
