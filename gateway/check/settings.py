"""[check]: whom `tidegate check --connect` asks, beside the destinations of the configuration.

    [check]
    domain = "contoso.example"
    domain_controllers = ["dc01.contoso.example", "dc02.contoso.example"]
    workspace = "contoso"

The gateway itself never reads it.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from forwarders.http.settings import ProxySettings
from pipeline.settings import Duration, Settings

MOST: Final = 1000
HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", re.ASCII)
WORKSPACE: Final = "sensorapi.atp.azure.com"


def check_host(value: str) -> str:
    """A name or an address, without port."""
    if HOST.fullmatch(value) is not None:
        return value
    try:
        return str(ipaddress.IPv6Address(value))
    except ValueError:
        raise ValueError("write a host name or an address, without port, as in 'dc01.contoso.example'") from None


Host = Annotated[str, AfterValidator(check_host)]
Hosts = Annotated[tuple[Host, ...], Field(max_length=MOST)]


class Cloud(StrEnum):
    """Whose cloud a workspace is in, which decides under which root its certificates are."""

    COMMERCIAL = "commercial"
    US_GOVERNMENT = "us-government"


class CheckSettings(Settings):
    """[check].

    domain:              of Active Directory, as in DNS.
    domain_controllers:  that sensors watch, or events come from.
    dns_servers:         that they and sensors ask.
    devices:             some of those whose names are resolved by asking them (NNR).
    sensor:              a standalone sensor's machine.
    workspace:           of Defender for Identity (Azure ATP), its name or the whole host name of its sensor API.
    cloud:               whose the workspace is.
    proxy:               on the way to the workspace.
    timeout:             how long each question may take.
    at_once:             how many questions are asked at a time.
    """

    domain: Host | None = None
    domain_controllers: Hosts = ()
    dns_servers: Hosts = ()
    devices: Hosts = ()
    sensor: Host | None = None
    workspace: Host | None = None
    cloud: Cloud = Cloud.COMMERCIAL
    proxy: ProxySettings | None = None
    timeout: Annotated[Duration, Field(gt=0, le=60)] = 5.0
    at_once: int = Field(default=16, ge=1, le=256)

    @property
    def sensor_api(self) -> str | None:
        """The workspace's host."""
        return self.workspace if self.workspace is None or "." in self.workspace else self.workspace + WORKSPACE
