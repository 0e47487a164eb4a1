"""`tidegate subscription gpo`: the value of "Configure target Subscription Manager" for each endpoint, and the commands that set it.

    Server=https://gateway.contoso.example:5986/wsman/SubscriptionManager/WEC,Refresh=900,IssuerCA=8F5B...

`IssuerCA` is the thumbprint of the authority that issued the *controllers'* certificates: by it Windows picks which one to show. So there is a value for
each authority of `client_ca`, and each controller gets the one of its own. What is written is PowerShell
that explains itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from listeners.wef.settings import CertificateEndpoint, EndpointSettings, WefSettings
from listeners.wef.tls import thumbprint
from pipeline.errors import ConfigError

KEY: Final = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager"
POLICY: Final = "Computer Configuration > Policies > Administrative Templates > Windows Components > Event Forwarding > Configure target Subscription Manager"
GPO: Final = "Tidegate event forwarding"
DEFAULT_REFRESH: Final = 900
MAX_FILE: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Manager:
    """A value of the policy.

    value:   as it is pasted.
    issuer:  the authority it is for, as a person would name it; empty for Kerberos.
    """

    value: str
    issuer: str = ""


def managers(endpoint: EndpointSettings, refresh: int) -> tuple[Manager, ...]:
    """The policy's values for an endpoint: one, or one for each authority that issues certificates to clients.

    Args:
        endpoint: where clients connect.
        refresh: seconds between their questions for changed subscriptions.

    Raises:
        ConfigError: an authority's certificate can't be read.
    """
    value = f"Server={endpoint.url},Refresh={refresh}"
    if not isinstance(endpoint, CertificateEndpoint):
        return (Manager(value),)
    found = {thumbprint(certificate): certificate for path in endpoint.client_ca for certificate in _read(path)}
    issuing = {print_: certificate for print_, certificate in found.items() if _may_issue(certificate)} or found
    return tuple(Manager(f"{value},IssuerCA={print_}", _name(certificate)) for print_, certificate in issuing.items())


def _read(path: Path) -> list[x509.Certificate]:
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(MAX_FILE))
    except OSError as error:
        raise ConfigError(str(path), f"can't be read: {error.strerror}", "name the PEM file of the authority in client_ca") from error
    except ValueError as error:
        raise ConfigError(str(path), "holds no PEM certificate", "export the authority's certificate as Base-64 X.509") from error


def _may_issue(certificate: x509.Certificate) -> bool:
    """Whether it is an authority's; one that says nothing may be an old root."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return True


def _name(certificate: x509.Certificate) -> str:
    try:
        return re.sub(r"[^\x20-\x7e\xa0-\uffff]", "?", certificate.subject.rfc4514_string())
    except ValueError:
        return "an authority whose name can't be read"


def write_policy(settings: WefSettings, refresh: int) -> str:
    """The script: what sets the first value is ready to run, what sets another is there to be chosen instead.

    Raises:
        ConfigError: as `managers`.
    """
    lines = [
        "# One of these values for each controller: with two it delivers everything twice. (Other collectors are values 2, 3 ... of the same policy.)",
        f"# {POLICY}: Enabled, SubscriptionManagers: Show",
        "",
    ]
    mark = ""
    for endpoint in settings.endpoints:
        lines.append(f"# Endpoint {endpoint.address}, reached as {endpoint.url.base}: {WAYS[endpoint.auth]}.")
        for manager in managers(endpoint, refresh):
            if manager.issuer:
                lines.append(f"# For controllers whose certificate was issued by {manager.issuer}:")
            lines += [f"#   {manager.value}", *(command if command.startswith("#") else mark + command for command in _commands(manager)), ""]
            mark = "# "
    return "\n".join(lines)


def _commands(manager: Manager) -> Iterator[str]:
    """Into a group policy object by RSAT's GroupPolicy module; or, to try it, into one controller's own registry."""
    yield f'Set-GPRegistryValue -Name "{GPO}" -Key "{KEY}" -ValueName "1" -Type String -Value "{_quoted(manager.value)}"'
    yield f'# on one controller: reg add "{KEY}" /v 1 /t REG_SZ /d "{manager.value}" /f; gpupdate /force'


WAYS: Final = {
    "certificate": "HTTPS, controllers show a certificate",
    "kerberos": "Kerberos, for controllers of domains whose keys its keytabs have",
}


def _quoted(text: str) -> str:
    """Within a PowerShell string in double quotes."""
    return re.sub(r'([`"$])', r"`\1", text)
