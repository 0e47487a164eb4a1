"""Settings of the Microsoft Sentinel destination."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from forwarders.encoders.asim import TABLES
from forwarders.http.settings import HttpSettings, SecretValue, ServerUrl, is_loopback, written_as
from pipeline.settings import FilePath, Settings, Size

MOST_OCTETS: Final = 1_000_000
"""Azure Monitor, "Service limits", Logs Ingestion API: 1 MB for a call, compressed and uncompressed."""

Name = Annotated[str, written_as(r"[A-Za-z0-9.-]{1,128}", "11111111-2222-4333-8444-555555555555")]
StreamName = Annotated[str, written_as(r"(?:Custom|Microsoft)-[A-Za-z0-9_]{1,100}", "Custom-TidegateOcsf")]
RuleId = Annotated[str, written_as(r"dcr-[0-9a-f]{32}", "dcr-000a00a000a00000a000000aa000a0aa")]


class Cloud(StrEnum):
    """An Azure cloud."""

    PUBLIC = "public"
    CHINA = "china"
    GOVERNMENT = "government"


class CloudEndpoints(NamedTuple):
    """Who signs in there, and what a token for Azure Monitor is for."""

    authority: str
    audience: str


CLOUDS: Final = {
    Cloud.PUBLIC: CloudEndpoints("https://login.microsoftonline.com", "https://monitor.azure.com"),
    Cloud.CHINA: CloudEndpoints("https://login.partner.microsoftonline.cn", "https://monitor.azure.cn"),
    Cloud.GOVERNMENT: CloudEndpoints("https://login.microsoftonline.us", "https://monitor.azure.us"),
}


class SentinelEncoding(StrEnum):
    """What a record is written as."""

    ASIM = "asim"
    OCSF = "ocsf"


class IdentitySettings(Settings):
    """`[forwarders.identity]`: as whom we come: an application with one of three credentials, or the machine's managed identity.

    managed:           the managed identity of this virtual machine, App Service or Arc-enabled server.
    tenant:            GUID or domain of the application's directory.
    client_id:         of the application; of a user-assigned managed identity.
    secret:            the application's.
    certificate, key:  PEM files of the application's certificate and its RSA key.
    token_file:        a token of another issuer that the application trusts, read anew each time (workload identity federation).
    authority:         who signs in; the cloud's own unless given.
    """

    managed: bool = False
    tenant: Name | None = None
    client_id: Name | None = None
    secret: SecretValue | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    token_file: FilePath | None = None
    authority: ServerUrl | None = None

    @model_validator(mode="after")
    def is_somebody(self) -> Self:
        """One identity with one credential."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        credentials = sum(credential is not None for credential in (self.secret, self.certificate, self.token_file))
        if self.managed and (credentials or self.tenant):
            raise ValueError("a managed identity needs no tenant and no credential; leave them out")
        if not self.managed and (credentials != 1 or self.tenant is None or self.client_id is None):
            raise ValueError("nobody is meant; write managed = true, or tenant, client_id and one of secret, certificate with key, token_file")
        if self.authority is not None and self.authority.startswith("http:") and not is_loopback(self.authority):
            raise ValueError("the credential would be sent in plain text; write an https authority")
        return self


class SentinelSettings(HttpSettings):
    """Microsoft Sentinel, or any Log Analytics workspace, by the Logs Ingestion API.

    url:       logs ingestion endpoint of the data collection rule, or of a data collection endpoint.
    rule:      the data collection rule's immutable ID.
    identity:  as whom we come.
    cloud:     whose.
    encoding:  `asim`: a row of one of the ASIM tables or of WindowsEvent; `ocsf`: the record itself in one column beside TimeGenerated.
    streams:   the rule's stream for each table, `Custom-TABLE` unless given.
    stream:    the rule's stream for `ocsf`.
    batch:     octets of JSON in one call.
    """

    profile: Literal["sentinel"]
    url: ServerUrl
    rule: RuleId
    identity: IdentitySettings
    cloud: Cloud = Cloud.PUBLIC
    encoding: SentinelEncoding = SentinelEncoding.ASIM
    streams: dict[Literal[TABLES], StreamName] = Field(default_factory=dict)  # type: ignore[valid-type]  # TABLES is a tuple of names
    stream: StreamName = "Custom-TidegateOcsf"
    batch: Annotated[Size, Field(ge=1024, le=MOST_OCTETS)] = MOST_OCTETS
