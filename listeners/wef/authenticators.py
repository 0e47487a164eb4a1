"""Each endpoint's way of authentication, made from its settings; the Kerberos library is asked for where an endpoint needs it, and nowhere else."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from listeners.wef.keyring import Keyring
from listeners.wef.refusals import Refusals
from listeners.wef.session import Authenticator
from listeners.wef.settings import CertificateEndpoint, KerberosEndpoint, WefSettings
from listeners.wef.tls import CertificateAuthenticator
from pipeline.errors import ConfigError
from pipeline.log import Log

PACKAGES: Final = ("spnego", "gssapi", "krb5")
"""Modules of the extra `kerberos`."""


def open_authenticators(settings: WefSettings, state_dir: Path, refusals: Refusals, log: Log) -> tuple[Authenticator, ...]:
    """One authenticator for each endpoint, in order.

    Args:
        settings: [listeners.wef].
        state_dir: where the merged keytab and the replay cache lie; not touched without a Kerberos endpoint.
        refusals: hears who was turned away.
        log: of the listener.

    Raises:
        ConfigError: a certificate, key or keytab can't be used, or a Python package is missing.
    """
    keyring: Keyring | None = None
    made: list[Authenticator] = []
    for endpoint in settings.endpoints:
        if isinstance(endpoint, CertificateEndpoint):
            made.append(CertificateAuthenticator(endpoint, refusals, log))
            continue
        require_kerberos()
        from listeners.wef.kerberos import KerberosAuthenticator  # noqa: PLC0415 - only here is it needed to be installed

        keyring = keyring or Keyring(_keytabs(settings), state_dir, os.environ, log)
        made.append(KerberosAuthenticator(endpoint, keyring, refusals))
    return tuple(made)


def _keytabs(settings: WefSettings) -> list[Path]:
    return [path for endpoint in settings.endpoints if isinstance(endpoint, KerberosEndpoint) for path in endpoint.keytabs]


def require_kerberos() -> None:
    """Make sure that Kerberos endpoints can be served.

    Raises:
        ConfigError: naming the packages that are missing.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        what = 'listeners.wef.endpoints auth = "kerberos"'
        fix = "install the extra: apt-get install libkrb5-dev gcc, then pip install 'tidegate[kerberos]' (pyspnego, gssapi, krb5), or run make setup as root"
        raise ConfigError(what, f"the Python package {', '.join(missing)} is missing", fix)
