"""What every `kind = "http"` destination has: where it is, how it is reached, and how its certificate is judged.

A profile's own settings are a table on top of this, in a file beside its destination.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from forwarders.common_settings import CommonSettings
from pipeline.settings import FilePath, Secret, Settings, Size

URL: Final = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?][!-~]*)?", re.ASCII)
FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
FIELD_VALUE: Final = re.compile(rb"[!-~](?:[ \t!-~]*[!-~])?")
OURS: Final = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "te", "upgrade", "expect", "accept-encoding"}
)
LAST_PORT: Final = 65_535


def check_url(value: str) -> str:
    """An absolute http or https URL without userinfo (that would be a secret) and fragment."""
    found = URL.fullmatch(value)
    if found is None or "#" in value or int(found[1] or 0) > LAST_PORT:
        raise ValueError("write https://host/path or http://host:port/path, the user and password apart from it")
    return value


Url = Annotated[str, AfterValidator(check_url)]


def check_server_url(value: str) -> str:
    """A URL that a path of ours is added to."""
    if "?" in check_url(value):
        raise ValueError("write the URL without a query; the path and query of requests are added to it")
    return value.rstrip("/")


ServerUrl = Annotated[str, AfterValidator(check_server_url)]
"""`https://host:port`, or with a path in front of ours; no slash at its end."""


def is_loopback(url: str) -> bool:
    """Whether what is sent there stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_field_name(value: str) -> str:
    """RFC 9110 section 5.1; what frames a request is ours to say."""
    if FIELD_NAME.fullmatch(value) is None or value.lower() in OURS:
        raise ValueError("name a field of the request that isn't about its body or connection")
    return value


def check_field_value(value: str) -> str:
    """RFC 9110 section 5.5, in ASCII."""
    if FIELD_VALUE.fullmatch(value.encode()) is None:
        raise ValueError("write one line of ASCII, without spaces around it")
    return value


def check_secret_value(value: Secret) -> Secret:
    """The same of what is read from elsewhere."""
    if FIELD_VALUE.fullmatch(value.get_secret_value()) is None:
        raise ValueError("the secret isn't one line of ASCII without spaces around it, as a field of a request has to be")
    return value


def written_as(pattern: str, example: str) -> AfterValidator:
    """A text that a service has its own spelling for."""
    spelling = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if spelling.fullmatch(value) is None:
            raise ValueError(f"write it as in {example!r}")
        return value

    return AfterValidator(check)


FieldName = Annotated[str, AfterValidator(check_field_name)]
FieldValue = Annotated[str, AfterValidator(check_field_value)]
SecretValue = Annotated[Secret, AfterValidator(check_secret_value)]


class ClientTls(Settings):
    """`[forwarders.tls]`: TLS 1.2 or 1.3. There is no way not to look at the server's certificate: name its issuer as `ca`.

    ca:                PEM files of the authorities that are believed; the system's unless given.
    certificate, key:  PEM files of our own certificate, for servers that ask for one.
    """

    ca: tuple[FilePath, ...] = ()
    certificate: FilePath | None = None
    key: FilePath | None = None

    @model_validator(mode="after")
    def certificate_has_its_key(self) -> Self:
        """One is nothing without the other."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class ProxySettings(Settings):
    """`[forwarders.proxy]`: an HTTP proxy on the way (CONNECT for https). Variables like HTTPS_PROXY are not heeded.

    url:                 of the proxy, http or https.
    username, password:  what it wants to know (Basic).
    ca:                  PEM files of the authorities believed for an https proxy.
    """

    url: Url
    username: str | None = None
    password: Secret | None = None
    ca: tuple[FilePath, ...] = ()

    @model_validator(mode="after")
    def username_has_its_password(self) -> Self:
        """One is nothing without the other."""
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


class HttpSettings(CommonSettings):
    """What all profiles have.

    url:               where to; a profile adds its own path.
    allow_plain_text:  send the credential over http to another machine.
    tls, proxy:        the way there.
    batch:             octets of records in one request, before compression.
    compress:          gzip requests.
    """

    kind: Literal["http"]
    url: Url
    allow_plain_text: bool = False
    tls: ClientTls = ClientTls()
    proxy: ProxySettings | None = None
    batch: Annotated[Size, Field(ge=1024, le=64 << 20)] = 1 << 20
    compress: bool = True

    @property
    def has_credential(self) -> bool:
        """Whether requests carry a secret."""
        return True

    @model_validator(mode="after")
    def credential_is_not_for_everybody(self) -> Self:
        """Over http anybody on the way reads it, and may use it."""
        if self.has_credential and self.url.startswith("http:") and not (self.allow_plain_text or is_loopback(self.url)):
            raise ValueError("the credential would be sent in plain text; write an https url, or allow_plain_text = true where the way is safe")
        return self

    @property
    def place(self) -> str:
        return self.url.partition("?")[0]
