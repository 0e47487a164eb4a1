"""From a `[[forwarders]]` table to the destination it describes."""

from __future__ import annotations

import socket
import time

from forwarders.destination import Destination
from forwarders.file import FileDestination
from forwarders.sensor import Sensor
from forwarders.settings import FileSettings, ForwarderSettings, SensorSettings
from forwarders.stdout import StdoutDestination
from pipeline.metrics import Metrics


def make_destination(settings: ForwarderSettings, metrics: Metrics) -> Destination:
    """The destination; nothing is opened yet."""
    match settings:
        case FileSettings():
            return FileDestination(settings)
        case SensorSettings():
            return Sensor(settings, metrics, clock=time.time_ns, hostname=socket.gethostname())
        case _:
            return StdoutDestination()


def describe_destination(settings: ForwarderSettings) -> str:
    """`archive file /srv/events.ndjson`: its name, kind and place."""
    match settings:
        case FileSettings():
            return f"{settings.name} file {settings.path}"
        case SensorSettings():
            transport, address = settings.address
            return f"{settings.name} sensor {settings.layout} {transport}://{address}"
        case _:
            return f"{settings.name} {settings.kind}"
