"""What sensors need around them: `prerequisites.toml`, typed."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from importlib import resources
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from gateway.check.settings import Cloud
from pipeline.settings import Settings

FILE: Final = "prerequisites.toml"


class Of(StrEnum):
    """Whom a prerequisite is about: keys of [check], and what else a configuration names."""

    DOMAIN = "domain"
    DOMAIN_CONTROLLERS = "domain_controllers"
    DNS_SERVERS = "dns_servers"
    DEVICES = "devices"
    WORKSPACE = "workspace"
    SENSOR = "sensor"
    ENDPOINT = "endpoint"


class Ask(StrEnum):
    """How it is asked."""

    RESOLVE = "resolve"
    REVERSE = "reverse"
    TCP = "tcp"
    UDP = "udp"
    TIME = "time"
    TLS = "tls"
    PING = "ping"
    LOOK = "look"


class Need(StrEnum):
    """Whether everybody needs it."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"


class Prerequisite(Settings):
    """One row.

    name:                of the check.
    of, ask, need:       whom, how, and what a "no" means.
    passes:              when it is met.
    fix:                 what to do about a "no"; where to look, for `look`.
    port, service:       asked, and what is there.
    question:            of `udp`: what is sent.
    limit_s, notable_s:  of `time`: seconds from which on it is a "no", and worth a warning.
    path, statuses:      of `ping`: what is asked for, and what may be answered.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    of: Of
    ask: Ask
    need: Need = Need.ALWAYS
    passes: str
    fix: str
    port: int = Field(default=0, ge=0, le=65535)
    service: str = ""
    question: Annotated[bytes, BeforeValidator(lambda value: bytes.fromhex(value) if isinstance(value, str) else value)] = b""
    limit_s: float = 0.0
    notable_s: float = 0.0
    path: str = ""
    statuses: tuple[int, ...] = ()

    @model_validator(mode="after")
    def is_whole(self) -> Self:
        """Each way of asking needs its own keys."""
        needed = {
            Ask.TCP: (self.port,),
            Ask.UDP: (self.port, self.question),
            Ask.TIME: (self.port, self.limit_s, self.notable_s),
            Ask.TLS: (self.port,),
            Ask.PING: (self.port, self.path, self.statuses),
        }
        if not all(needed.get(self.ask, ())):
            raise ValueError(f"{self.name} lacks a key that {self.ask} needs")
        return self


class Root(Settings):
    """Under which root a cloud's certificates are; the thumbprint is the SHA-1 of its DER, as Windows shows it."""

    cloud: Cloud
    name: str
    thumbprint: str = Field(pattern=r"^[0-9A-F]{40}$")


class Prerequisites(Settings):
    """All of it.

    prerequisites:  the rows.
    roots:          of the clouds.
    interception:   products, and words of the issuers that they make.
    """

    prerequisites: tuple[Prerequisite, ...]
    roots: tuple[Root, ...]
    interception: dict[str, tuple[str, ...]]

    def root_of(self, cloud: Cloud) -> Root:
        """A cloud's root."""
        return next(root for root in self.roots if root.cloud is cloud)

    def interceptor(self, issuer: str) -> str | None:
        """The product that calls itself so; None where it is none that we know."""
        lowered = issuer.lower()
        return next((product for product, words in self.interception.items() if any(word in lowered for word in words)), None)


def load_prerequisites() -> Prerequisites:
    """The package's own file."""
    return Prerequisites.model_validate(tomllib.loads((resources.files("gateway.check") / FILE).read_text(encoding="utf-8")))
