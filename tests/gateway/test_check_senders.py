"""Check tells whoever lets both kinds of senders in: those that prove who they are, and those that don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.check.examinations import examine
from gateway.check.findings import Level
from gateway.config import load

BASE = '[gateway]\nstate_dir = "state"\n'
PLAIN = '[listeners.syslog]\nudp = ["127.0.0.1:0"]\n'
MUTUAL = '[listeners.syslog.tls]\naddresses = ["127.0.0.1:0"]\ncertificate = "a"\nkey = "b"\nclient_ca = ["c"]\n'
ENDPOINT = '[[listeners.wef.endpoints]]\naddress = "127.0.0.1:0"\n'
WEF = ENDPOINT + 'url = "https://gate.contoso.example"\nauth = "certificate"\ncertificate = "a"\nkey = "b"\nclient_ca = ["c"]\n'
KERBEROS = ENDPOINT + 'url = "http://gate.contoso.example"\nauth = "kerberos"\nkeytabs = ["k"]\n'
WITNESS = '[spool]\nduplicates = {witness = "authenticated"}\n'


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        pytest.param("", [], id="nobody"),
        pytest.param(PLAIN, [], id="plain alone: there is nobody to mask"),
        pytest.param(WEF, [Level.OK], id="event forwarding alone"),
        pytest.param(PLAIN + WEF, [Level.UNKNOWN], id="both"),
        pytest.param(PLAIN + WEF + WITNESS, [Level.OK], id="both, kept apart"),
        pytest.param(PLAIN + MUTUAL, [Level.UNKNOWN], id="syslog with and without certificates"),
        pytest.param("[listeners.syslog]\n" + MUTUAL, [Level.OK], id="syslog with certificates alone"),
        pytest.param("[listeners.syslog]\n" + MUTUAL + 'client_certificate = "optional"\n' + WEF, [Level.UNKNOWN], id="a certificate that may be left out"),
        pytest.param(KERBEROS, [Level.OK, Level.UNKNOWN], id="every account of a domain"),
        pytest.param(KERBEROS + 'clients = ["dc*.contoso.example"]\n', [Level.OK], id="controllers by name"),
    ],
)
def test_senders(tmp_path: Path, text: str, levels: list[Level]) -> None:
    (tmp_path / "gateway.toml").write_text(BASE + text)
    found = [one for one in examine(load(tmp_path / "gateway.toml", {}), tmp_path / "gateway.toml") if one.check == "senders"]
    assert [one.level for one in found] == levels
    assert all(one.fix for one in found if one.level is not Level.OK)
