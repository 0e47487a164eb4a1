"""A real Kerberos realm for tests: MIT krb5's KDC, unpacked below .cache, on a free loopback port with its database in a folder of the test's.

    with running_kdc(tmp_path) as kdc:
        kdc.add("HTTP/gw.contoso.example")
        kdc.export_keytab(keytab, "HTTP/gw.contoso.example")
        cache = kdc.log_in("DC01$")

`KRB5_CONFIG` belongs to a process; realms that run together are listed there with a colon between their files.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final

from support import peers

REALM: Final = "CONTOSO.EXAMPLE"
AES: Final = "aes256-cts-hmac-sha1-96:normal,aes128-cts-hmac-sha1-96:normal"
READY: Final = "commencing operation"

KRB5_CONF: Final = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    allow_weak_crypto = true
    permitted_enctypes = aes256-sha1 aes128-sha1 aes256-sha2 aes128-sha2 rc4
    udp_preference_limit = 1
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
[domain_realm]
    .{domain} = {realm}
[dbmodules]
    db_module_dir = {plugins}
    {realm} = {{
        db_library = db2
        database_name = {folder}/principal
    }}
"""

KDC_CONF: Final = """\
[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = 10h
        master_key_type = aes256-cts-hmac-sha1-96
        supported_enctypes = {aes}
    }}
[logging]
    kdc = STDERR
    default = STDERR
"""


@dataclass(frozen=True, slots=True)
class Kdc:
    """The realm.

    realm:        its name.
    folder:       where its files are.
    environment:  for programs that shall be in the realm.
    """

    realm: str
    folder: Path
    environment: dict[str, str]

    @property
    def config(self) -> Path:
        """The krb5.conf of the realm."""
        return self.folder / "krb5.conf"

    def add(self, principal: str, enctypes: str = AES) -> None:
        """A principal with random keys."""
        self._admin(f"addprinc -randkey -e {enctypes} {principal}")

    def change_keys(self, principal: str, enctypes: str = AES) -> None:
        """New keys, their version number one higher; the KDC keeps the old ones no more."""
        self._admin(f"cpw -randkey -e {enctypes} {principal}")

    def require_preauthentication(self, principal: str) -> None:
        """As Active Directory does for every account."""
        self._admin(f"modprinc +requires_preauth {principal}")

    def export_keytab(self, path: Path, *principals: str) -> Path:
        """Write the present keys of the principals, as they are."""
        path.unlink(missing_ok=True)
        for principal in principals:
            self._admin(f"ktadd -norandkey -k {path} {principal}")
        return path

    def log_in(self, principal: str) -> str:
        """A ticket cache of the principal, to be put into KRB5CCNAME."""
        plain = principal.replace("/", "_")
        keytab = self.export_keytab(self.folder / f"{plain}.client.keytab", principal)
        cache = self.folder / f"{plain}.cache"
        self._run(_program("usr/bin/kinit"), "-k", "-t", str(keytab), "-c", str(cache), principal)
        return f"FILE:{cache}"

    def _admin(self, query: str) -> None:
        self._run(_program("usr/sbin/kadmin.local"), "-r", self.realm, "-q", query)

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")


@contextlib.contextmanager
def running_kdc(folder: Path, realm: str = REALM) -> Iterator[Kdc]:
    """Make a realm in `folder` and serve it until left; its hosts are those of the domain of the same name."""
    port = _free_port()
    plugins = next(peers.ROOT.glob("usr/lib/*/krb5/plugins/kdb"))
    facts = {"realm": realm, "domain": realm.lower(), "port": port, "folder": folder, "plugins": plugins, "aes": AES}
    (folder / "krb5.conf").write_text(KRB5_CONF.format(**facts))
    (folder / "kdc.conf").write_text(KDC_CONF.format(**facts))
    environment = peers.unpacked_environment() | {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5RCACHENAME": "none:",
    }
    kdc = Kdc(realm, folder, environment)
    kdc._run(_program("usr/sbin/kdb5_util"), "create", "-s", "-r", realm, "-P", "master")
    with subprocess.Popen([_program("usr/sbin/krb5kdc"), "-n", "-r", realm], env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            log = process.stderr
            assert log is not None
            if not any(READY in line for line in log):
                raise RuntimeError("krb5kdc didn't start")
            Thread(target=log.read, daemon=True).start()  # a full pipe would stop it
            yield kdc
        finally:
            process.terminate()


def _program(path: str) -> str:
    return str(peers.ROOT / path)


def _free_port() -> int:
    """A port nobody has now: krb5kdc can't be asked which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
