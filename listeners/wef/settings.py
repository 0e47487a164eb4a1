"""[listeners.wef]: endpoints that domain controllers connect to, and the subscriptions they are given.

    [[listeners.wef.endpoints]]
    address = "0.0.0.0:5986"
    url = "https://gateway.contoso.example:5986"
    auth = "certificate"
    certificate = "server.pem"
    key = "server.key"
    client_ca = ["ca.pem"]

    [[listeners.wef.subscriptions]]
    name = "identity"
    profile = "aatp-2020"
    heartbeat = "15 min"

What Windows does with each of them: docs/protocol/wef.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from listeners.http.settings import HttpSettings
from pipeline.settings import Address, Duration, FilePath, Settings, Size, resolve_path

DEFAULT_PATH: Final = "/wsman/SubscriptionManager/WEC"
URL: Final = re.compile(r"(?i:(https?))://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?(/[\x21-\x7e]*)?", re.ASCII)
PORTS: Final = {"http": 5985, "https": 5986}
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Url:
    """Where clients find an endpoint.

    scheme:  http or https.
    host:    as clients resolve it; part of Kerberos' service name, and of the server's certificate.
    port:    as clients see it, which a load balancer may make another than the bound one.
    path:    where they enumerate.
    """

    scheme: str
    host: str
    port: int
    path: str = DEFAULT_PATH

    @property
    def base(self) -> str:
        """`https://gateway.contoso.example:5986`."""
        return f"{self.scheme}://{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.base}{self.path}"


def parse_url(text: object) -> Url:
    """`https://gateway.contoso.example:5986`, with or without path."""
    found = URL.fullmatch(text) if isinstance(text, str) else None
    if found is None or int(found[3] or 1) not in range(1, 65536):
        raise ValueError("write scheme, host and port as clients find them, as in 'https://gateway.contoso.example:5986'")
    scheme = found[1].lower()
    path = found[4] or ""
    return Url(scheme, found[2], int(found[3] or PORTS[scheme]), DEFAULT_PATH if path in ("", "/") else path)


ClientUrl = Annotated[Url, BeforeValidator(lambda value: value if isinstance(value, Url) else parse_url(value))]


def _resolve_profile(value: object, info: ValidationInfo) -> object:
    """A profile by its name stays as it is; the path of a file is relative to the configuration's folder."""
    return str(resolve_path(value, info)) if isinstance(value, str) and ("/" in value or value.endswith(".toml")) else value


def _expect(scheme: str, url: Url) -> Url:
    if url.scheme != scheme:
        raise ValueError(f"clients reach this kind of endpoint by {scheme}; write {scheme}://")
    return url


class EndpointSettings(Settings):
    """What both kinds of [[listeners.wef.endpoints]] have.

    address:        where to listen.
    url:            what clients are told, with /wsman/SubscriptionManager/WEC behind it unless it has a path of its own.
    subscriptions:  names of those offered here; all of them by default.
    clients:        who may connect here, `*` standing for any text; everybody who authenticates by default.
    """

    address: Address
    url: ClientUrl
    subscriptions: tuple[str, ...] = ()
    clients: tuple[str, ...] = ("*",)


class CertificateEndpoint(EndpointSettings):
    """An HTTPS endpoint where clients show certificates.

    certificate, key:  PEM files, read again when they change; the certificate is followed by its intermediates.
    client_ca:         PEM files of the authorities that issue client certificates. Windows sends no intermediates: the issuing ones have to be here.
    client_crl:        PEM files of their revocation lists, read again when they change; with any, an authority without a current one has its clients refused.
    """

    auth: Literal["certificate"]
    certificate: FilePath
    key: FilePath
    client_ca: tuple[FilePath, ...] = Field(min_length=1)
    client_crl: tuple[FilePath, ...] = ()

    @field_validator("url")
    @classmethod
    def speaks_tls(cls, url: Url) -> Url:
        """Certificates are TLS' business."""
        return _expect("https", url)


class Encryption(StrEnum):
    """Kinds of Kerberos tickets that are taken."""

    AES = "aes"
    RC4 = "rc4"


class KerberosEndpoint(EndpointSettings):
    """An HTTP endpoint where clients show Kerberos tickets, and seal what they say.

    keytabs:     files with the keys of HTTP/ and HOST/ of the url's host, of one realm or several; read again when they change.
    encryption:  kinds of tickets taken.
    """

    auth: Literal["kerberos"]
    keytabs: tuple[FilePath, ...] = Field(min_length=1)
    encryption: tuple[Encryption, ...] = Field(default=(Encryption.AES,), min_length=1)

    @field_validator("url")
    @classmethod
    def speaks_http(cls, url: Url) -> Url:
        """Sealed messages travel over plain HTTP; over TLS they would need channel bindings."""
        return _expect("http", url)


class Format(StrEnum):
    """What of an event is sent ([MS-WSMV] 3.1.4.1.30.1, ContentFormat)."""

    RAW = "raw"
    RENDERED_TEXT = "rendered-text"


class SubscriptionSettings(Settings):
    """[[listeners.wef.subscriptions]]: what clients are asked for. It becomes one Windows subscription per channel: `identity/Security`.

    name:                      the first part of the Windows subscriptions' names, and so of their identity: renaming makes clients start anew.
    profile:                   whose events are asked for: `aatp-2020`, `mdi-current`, or the path of a profile file.
    query:                     path of a QueryList XML file to ask for instead.
    clients:                   who is offered it; everybody who authenticates by default.
    heartbeat:                 the longest silence of a client.
    max_time:                  how long a client may gather events for a batch.
    max_items:                 events of a batch; as many as fit by default.
    max_envelope:              octets of a message that clients may send, as UTF-16 and uncompressed.
    connection_retries:        attempts of a client that can't deliver, `connection_retry_interval` apart; then it waits for its next refresh.
    connection_retry_interval: from one of these attempts to the next.
    format:                    `raw`, or `rendered-text`: two to three times larger, for nothing that a mapping reads.
    locale:                    language of rendered text and of numbers in it; "" leaves it to the client.
    compression:               whether clients compress (SLDC), which makes a third of it.
    read_existing:             whether a client begins with the oldest event it has, rather than with the next one.
    ignore_channel_errors:     whether a client without one of the channels delivers the others.
    """

    name: str
    profile: Annotated[str, BeforeValidator(_resolve_profile)] = "aatp-2020"
    query: FilePath | None = None
    clients: tuple[str, ...] = ("*",)
    heartbeat: Annotated[Duration, Field(ge=1, le=86400)] = 900.0
    max_time: Annotated[Duration, Field(ge=0.1, le=86400)] = 5.0
    max_items: int | None = Field(default=None, ge=1, le=100_000)
    max_envelope: Size = Field(default=512_000, ge=32 << 10, le=1 << 20)
    connection_retries: int = Field(default=5, ge=1, le=1000)
    connection_retry_interval: Annotated[Duration, Field(ge=1, le=86400)] = 60.0
    format: Format = Format.RAW
    locale: str = Field(default="en-US", pattern=r"^([A-Za-z0-9-]{2,20})?$")
    compression: bool = True
    read_existing: bool = False
    ignore_channel_errors: bool = True

    @field_validator("name")
    @classmethod
    def name_can_be_shown(cls, name: str) -> str:
        """It appears in the clients' event logs and in their registry."""
        if not NAME.fullmatch(name):
            raise ValueError("write up to 100 letters, digits, spaces, dots, dashes or underscores")
        return name


class Mismatch(StrEnum):
    """What becomes of events that name another computer than the one that was authenticated."""

    TAG = "tag"
    REFUSE = "refuse"


Endpoint = Annotated[CertificateEndpoint | KerberosEndpoint, Field(discriminator="auth")]


class WefSettings(HttpSettings):
    """[listeners.wef].

    endpoints:      where clients connect.
    subscriptions:  what they are given.
    decompressed:   octets of a message after decompression.
    mismatch:       `tag`: the record gets the label `identity:mismatch`; `refuse`: the event is rejected, and kept as such with its octets.
    forwarders:     sources that may speak for other computers, since they forward their events.
    answer_within:  when the spool hasn't taken a batch by then, it is not acknowledged; Windows gives up after 60 s.
    """

    endpoints: tuple[Endpoint, ...] = Field(min_length=1)
    subscriptions: tuple[SubscriptionSettings, ...] = ()
    decompressed: Size = Field(default=2 << 20, ge=64 << 10, le=64 << 20)
    mismatch: Mismatch = Mismatch.TAG
    forwarders: tuple[str, ...] = ()
    answer_within: Annotated[Duration, Field(gt=0, le=55)] = 45.0

    @model_validator(mode="after")
    def names_are_known(self) -> Self:
        """Subscriptions are told apart by name, and endpoints offer those there are."""
        names = [subscription.name for subscription in self.subscriptions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two subscriptions are named {', '.join(twice)}; give each its own name, which is its place in the clients' bookmarks")
        unknown = sorted({name for endpoint in self.endpoints for name in endpoint.subscriptions} - set(names))
        if unknown:
            raise ValueError(f"an endpoint offers {', '.join(unknown)}, which is no subscription; name those of [[listeners.wef.subscriptions]]")
        return self

    @property
    def idle(self) -> float:
        """Seconds that a client may be silent: twice the longest heartbeat, and a minute."""
        return 2 * max((subscription.heartbeat for subscription in self.subscriptions), default=900.0) + 60
