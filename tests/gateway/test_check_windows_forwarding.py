"""What `check` finds about WEF endpoints and subscriptions."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from gateway.check.examinations import examine
from gateway.check.findings import Finding, Level
from gateway.config import load
from wire.keytab import Key, encode_keytab

CONFIG = """
[gateway]
state_dir = "state"
profile = "{profile}"

[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://gateway.contoso.example:5986"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]

[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "http://gateway.contoso.example:5985"
auth = "kerberos"
keytabs = ["http.keytab"]
"""
SUBSCRIPTION = '[[listeners.wef.subscriptions]]\nname = "identity"\nprofile = "{}"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of two endpoints beside a configuration; the Kerberos library counts as installed."""
    monkeypatch.setattr("gateway.check.windows_forwarding.require_kerberos", lambda: None)
    authority = trustme.CA()
    server = authority.issue_cert("gateway.contoso.example")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    (tmp_path / "server.key").chmod(0o600)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    keys = [Key((service, "gateway.contoso.example"), "CONTOSO.EXAMPLE", 1, 0, 2, 18, b"x" * 32) for service in ("HTTP", "HOST")]
    (tmp_path / "http.keytab").write_bytes(encode_keytab(keys))
    (tmp_path / "http.keytab").chmod(0o600)
    return tmp_path


def findings(folder: Path, *, profile: str = "aatp-2020", asked: tuple[str, ...] = ("aatp-2020",)) -> list[Finding]:
    (folder / "gateway.toml").write_text(CONFIG.format(profile=profile) + "".join(map(SUBSCRIPTION.format, asked)))
    return list(examine(load(folder / "gateway.toml", {}), None))


def complaints(found: list[Finding]) -> list[tuple[Level, str, str]]:
    """But for what the machine under the tests may lack."""
    return [(one.level, one.what, one.why) for one in found if one.level is not Level.OK and one.check in ("windows-forwarding", "profile", "addresses")]


def test_what_is_fit_is_said_to_be(folder: Path) -> None:
    found = findings(folder)
    assert complaints(found) == []
    said = {one.what: one.why for one in found}
    assert said["subscription identity"] == "identity/Microsoft-Windows-NTLM/Operational, identity/Security, identity/System"
    assert {"listeners.wef https 127.0.0.1:0", "listeners.wef http 127.0.0.1:0", "endpoint http://gateway.contoso.example:5985"} <= set(said)


def test_what_is_asked_for_and_not_kept_or_kept_and_not_asked_for_is_a_warning(folder: Path) -> None:
    ((level, what, why),) = complaints(findings(folder, asked=("mdi-current",)))
    assert (level, what) == (Level.WARNING, "gateway.profile")
    assert "4741" in why
    ((level, what, _),) = complaints(findings(folder, profile="mdi-current"))
    assert (level, what) == (Level.WARNING, "listeners.wef.subscriptions")


def test_no_subscription_is_a_warning(folder: Path) -> None:
    assert complaints(findings(folder, asked=())) == [(Level.WARNING, "listeners.wef.subscriptions", "there are none, no source will be asked for anything")]


def test_a_keytab_without_a_service_is_a_warning_and_no_keytab_an_error(folder: Path) -> None:
    (folder / "http.keytab").write_bytes(encode_keytab([Key(("HTTP", "GATEWAY.contoso.example"), "CONTOSO.EXAMPLE", 1, 0, 2, 18, b"x" * 32)]))
    ((level, what, why),) = complaints(findings(folder))
    assert (level, what, why.endswith("HOST/gateway.contoso.example")) == (Level.WARNING, "endpoint http://gateway.contoso.example:5985", True)
    (folder / "http.keytab").unlink()
    assert [level for level, _, _ in complaints(findings(folder))] == [Level.ERROR]


@pytest.mark.parametrize(("numbers", "level"), [((23,), Level.ERROR), ((23, 18), Level.OK), ((3,), Level.ERROR), ((20,), Level.OK)])
def test_keys_of_an_encryption_that_is_not_taken(folder: Path, numbers: tuple[int, ...], level: Level) -> None:
    keys = [Key((service, "gateway.contoso.example"), "CONTOSO.EXAMPLE", 1, 0, 2, number, b"x" * 32) for service in ("HTTP", "HOST") for number in numbers]
    (folder / "http.keytab").write_bytes(encode_keytab(keys))
    found = [one for one in findings(folder) if one.check == "windows-forwarding" and one.what == "endpoint http://gateway.contoso.example:5985"]
    assert [one.level for one in found] == [level, level]
    assert all("version 2; realm CONTOSO.EXAMPLE" in one.why for one in found if level is Level.OK)


def test_a_keytab_for_everybody(folder: Path) -> None:
    (folder / "http.keytab").chmod(0o644)
    ((level, what, _),) = complaints(findings(folder))
    assert (level, what) == (Level.WARNING, str(folder / "http.keytab"))


def test_a_certificate_for_another_name_than_clients_are_told(folder: Path) -> None:
    config = CONFIG.replace("https://gateway.", "https://collector.").format(profile="aatp-2020") + SUBSCRIPTION.format("aatp-2020")
    (folder / "gateway.toml").write_text(config)
    ((level, what, why),) = complaints(list(examine(load(folder / "gateway.toml", {}), None)))
    assert (level, what, "collector.contoso.example" in why) == (Level.ERROR, str(folder / "server.pem"), True)


@pytest.mark.parametrize("file", ["server.pem", "server.key", "ca.pem"])
def test_a_file_that_cant_be_used_is_an_error(folder: Path, file: str) -> None:
    (folder / file).write_text("x")
    assert Level.ERROR in [level for level, _, _ in complaints(findings(folder))]


def test_an_unknown_profile_is_an_error(folder: Path) -> None:
    assert Level.ERROR in [level for level, _, _ in complaints(findings(folder, asked=("nonesuch",)))]
