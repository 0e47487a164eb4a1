"""From a `[[forwarders]]` table to the destination it describes."""

from __future__ import annotations

import random
import socket
import time

from forwarders.destination import Destination
from forwarders.file import FileDestination
from forwarders.relay import Relay
from forwarders.sensor import Sensor
from forwarders.settings import FileSettings, ForwarderSettings, RelaySettings, SensorSettings
from forwarders.stdout import StdoutDestination
from pipeline.metrics import Metrics
from pipeline.spool.spool import Spool


def make_destination(settings: ForwarderSettings, metrics: Metrics, spool: Spool) -> Destination:
    """The destination; nothing is opened yet."""
    match settings:
        case FileSettings():
            return FileDestination(settings)
        case SensorSettings():
            return Sensor(settings, metrics, clock=time.time_ns, hostname=socket.gethostname())
        case RelaySettings():
            return Relay(settings, metrics, originals=spool.originals, random=random.random)
        case _:
            return StdoutDestination()


def describe_destination(settings: ForwarderSettings) -> str:
    """`archive file /srv/events.ndjson`: its name, kind and place."""
    match settings:
        case FileSettings():
            return f"{settings.name} file {settings.path}"
        case SensorSettings() | RelaySettings():
            transport, address = settings.address
            return f"{settings.name} sensor {settings.layout} {transport}://{address}"
        case _:
            return f"{settings.name} {settings.kind}"
