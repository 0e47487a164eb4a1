"""What Windows is told: pasted values hold what the configuration says, our own subscription is clean, and a bad one is told what it will never deliver."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import ssl
from pathlib import Path

import pytest
import trustme
from support.wef import FIXTURES

from gateway.cli import main
from gateway.config import load
from gateway.exit_code import ExitCode
from gateway.subscription.audit import SUBCATEGORIES, write_commands
from gateway.subscription.finding import Severity
from gateway.subscription.group_policy import KEY, managers, write_policy
from gateway.subscription.lint import lint
from gateway.subscription.selection import select
from gateway.subscription.wecutil import write_collector_subscription
from listeners.wef.settings import SubscriptionSettings, WefSettings
from normalizers.profiles import load_profile
from wire.event import EventKey
from wire.wef.query import build_queries, encode_query_list, parse_query_list

COMMANDS = ("gpo", "query", "wecutil", "audit", "lint")
PROFILES = ("aatp-2020", "mdi-current")
AUDITING, CONTROL = "Microsoft-Windows-Security-Auditing", "Service Control Manager"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with two authorities, and Kerberos."""
    found = tmp_path_factory.mktemp("gateway")
    root = trustme.CA(organization_name="Contoso Root")
    issuing = trustme.CA(organization_name="Contoso Issuing")
    (found / "root.pem").write_bytes(root.cert_pem.bytes())
    (found / "issuing.pem").write_bytes(issuing.cert_pem.bytes() + root.cert_pem.bytes())
    (found / "gateway.toml").write_text(
        """
        [gateway]
        state_dir = "state"
        [[listeners.wef.endpoints]]
        address = "127.0.0.1:5986"
        url = "https://gateway.contoso.example:5986"
        auth = "certificate"
        certificate = "server.pem"
        key = "server.key"
        client_ca = ["root.pem", "issuing.pem"]
        [[listeners.wef.endpoints]]
        address = "127.0.0.1:5985"
        url = "http://gateway.contoso.example:5985/wsman/SubscriptionManager/tier0"
        auth = "kerberos"
        keytabs = ["http.keytab"]
        [[listeners.wef.subscriptions]]
        name = "identity"
        profile = "mdi-current"
        read_existing = true
        """
    )
    return found


def run(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["subscription", *arguments, "--config", str(folder / "gateway.toml")]) == ExitCode.OK
    return capsys.readouterr().out


def settings_of(folder: Path) -> WefSettings:
    found = load(folder / "gateway.toml", {}).listeners.wef
    assert found
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subscription", command, "--help"]) == ExitCode.OK
    said = " ".join(capsys.readouterr().out.split())
    assert "Example: " in said
    assert f"tidegate subscription {command}" in said


# gpo


def test_each_authority_has_its_value_once_by_its_thumbprint(folder: Path) -> None:
    certificate, kerberos = settings_of(folder).endpoints
    found = managers(certificate, 900)
    assert [manager.issuer.rpartition("O=")[2] for manager in found] == ["Contoso Root", "Contoso Issuing"]
    pem = (folder / "root.pem").read_text()
    thumbprint = hashlib.sha1(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    assert found[0].value == f"Server=https://gateway.contoso.example:5986/wsman/SubscriptionManager/WEC,Refresh=900,IssuerCA={thumbprint}"
    assert managers(kerberos, 60)[0].value == "Server=http://gateway.contoso.example:5985/wsman/SubscriptionManager/tier0,Refresh=60"


def test_gpo_sets_one_value_and_offers_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = run(folder, capsys, "gpo", "--refresh", "600")
    ready = [line for line in written.splitlines() if line and not line.startswith("#")]
    assert len(ready) == 1
    words = shlex.split(ready[0], posix=False)
    assert words[0] == "Set-GPRegistryValue"
    assert f'"{KEY}"' in words
    assert written.count("Refresh=600") == 9  # three values, each to read, to set by policy, and by hand


def test_a_value_cannot_leave_its_quotes(folder: Path) -> None:
    settings = settings_of(folder)
    odd = settings.endpoints[1].model_copy(update={"url": settings.endpoints[1].url.__class__("http", "gw", 5985, '/a"$(calc)`')})
    script = write_policy(settings.model_copy(update={"endpoints": (odd,)}), 900)
    (command,) = (line for line in script.splitlines() if line.startswith("Set-GP"))
    assert '/a`"`$(calc)``,Refresh' in command


@pytest.mark.parametrize(("content", "word"), [(None, "can't be read"), (b"nothing", "no PEM certificate")], ids=["missing", "no certificate"])
def test_an_authority_that_cannot_be_read(content: bytes | None, word: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "gateway.toml").read_text()
    (tmp_path / "gateway.toml").write_text(text)
    if content is not None:
        (tmp_path / "root.pem").write_bytes(content)
    assert main(["subscription", "gpo", "--config", str(tmp_path / "gateway.toml")]) == ExitCode.CONFIG
    assert word in capsys.readouterr().err


def test_gpo_needs_an_endpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text("")
    assert main(["subscription", "gpo", "--config", str(tmp_path / "gateway.toml")]) == ExitCode.CONFIG
    assert "listeners.wef" in capsys.readouterr().err


# query, wecutil


def test_query_is_of_the_configured_subscription_or_the_named_profile(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured = run(folder, capsys, "query")
    assert "EventID=5136" in configured
    assert "EventID=5136" not in run(folder, capsys, "query", "--profile", "aatp-2020")
    assert [query.selectors[0].channel for query in parse_query_list(configured.encode())] == ["Microsoft-Windows-NTLM/Operational", "Security", "System"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("channel", [None, "security"], ids=["all channels", "one channel"])
def test_our_own_subscription_is_clean(profile: str, channel: str | None) -> None:
    keys = load_profile(profile).keys
    settings = SubscriptionSettings(name="identity", profile=profile, read_existing=True)
    written = write_collector_subscription(select(settings, keys, channel), settings, channel)
    wanted = [key for key in keys if channel is None or key.channel == "Security"]
    assert lint(written.encode(), wanted) == ()
    assert lint(written.encode("utf-16"), wanted) == ()


def test_wecutil_says_which_channels_there_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subscription", "wecutil", "--channel", "Setup", "--config", str(folder / "gateway.toml")]) == ExitCode.CONFIG
    assert "Microsoft-Windows-NTLM/Operational, Security, System" in capsys.readouterr().err


def test_one_of_several_subscriptions_has_to_be_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "gateway.toml").read_text() + '[[listeners.wef.subscriptions]]\nname = "old"\n'
    (tmp_path / "gateway.toml").write_text(text)
    assert main(["subscription", "query", "--config", str(tmp_path / "gateway.toml")]) == ExitCode.CONFIG
    assert "identity, old" in capsys.readouterr().err
    assert "5136" not in run(tmp_path, capsys, "query", "--subscription", "old")


def test_a_query_of_its_own_is_what_is_asked_for(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text((folder / "gateway.toml").read_text() + 'query = "mine.xml"\n')
    query = ["subscription", "query", "--config", str(tmp_path / "gateway.toml")]
    assert main(query) == ExitCode.CONFIG
    (tmp_path / "mine.xml").write_text("<QueryList><Query>")
    assert main(query) == ExitCode.CONFIG
    (tmp_path / "mine.xml").write_bytes('<QueryList><Query><Select Path="Setup">*</Select></Query></QueryList>'.encode("utf-16"))
    capsys.readouterr()
    assert '<Select Path="Setup">*</Select>' in run(tmp_path, capsys, "query")
    assert '<Select Path="Setup">*</Select>' in run(tmp_path, capsys, "wecutil")
    assert "4776" in run(tmp_path, capsys, "query", "--profile", "aatp-2020")


# audit


@pytest.mark.parametrize("profile", PROFILES)
def test_audit_covers_every_event_of_the_profile(profile: str, folder: Path) -> None:
    keys = load_profile(profile).keys
    script = write_commands(keys, settings_of(folder))
    for event_id in {key.event_id for key in keys if key.channel == "Security"}:
        (subcategory,) = (each for each in SUBCATEGORIES if event_id in each.ids)
        assert re.search(rf"^auditpol /set /subcategory:\"\{{{subcategory.guid}-69AE-11D9-BED3-505054503030\}}\" .*\b{event_id}\b", script, re.MULTILINE)
        assert f'auditpol /get /subcategory:"{{{subcategory.guid}' in script
    for command in ("AuditNTLMInDomain 7", "AuditReceivingNTLMTraffic 2", "RestrictSendingNTLMTraffic 1", "SCENoApplyLegacyAuditPolicy 1"):
        assert re.search(rf"^Set-ItemProperty '[^']+' {command} -Type DWord", script, re.MULTILINE)
    assert "/ms:134217728" in script
    assert "Event Log Readers" in script
    assert "Test-NetConnection gateway.contoso.example -Port 5986" in script
    assert "klist get HTTP/gateway.contoso.example" in script


def test_audit_says_only_what_the_profile_needs() -> None:
    script = write_commands([EventKey("System", CONTROL, "7045")], None)
    assert "auditpol /set" not in script
    assert "AuditNTLM" not in script
    assert 'wevtutil gl "System"' in script


def test_every_line_of_audit_is_a_command_or_a_comment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.compile(r"auditpol |Set-|Get-|Test-|wevtutil |net |klist |\(Get-|#|$")
    lines = run(folder, capsys, "audit").splitlines()
    assert all(commands.match(line) and line.count('"') % 2 == 0 for line in lines)


def test_an_event_whose_setting_is_unknown_is_named() -> None:
    assert "9999: see which subcategory" in write_commands([EventKey("Security", AUDITING, "9999")], None)


# lint

FIXTURE = FIXTURES / "collector-subscription.xml"


def test_a_bad_subscription_is_told_line_by_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("")
    config = ["--config", str(tmp_path / "gateway.toml")]
    assert main(["subscription", "lint", str(FIXTURE), "--json", *config]) == ExitCode.FAILED
    found = [(each["line"], each["severity"], each["rule"]) for each in json.loads(capsys.readouterr().out)]
    assert found == [
        (8, "warning", "slow-mode"),
        (21, "error", "missing-id"),
        (21, "warning", "conditional"),
        (24, "warning", "suppressed-in-part"),
        (27, "error", "missing-id"),
        (27, "warning", "slip"),
        (30, "error", "wrong-channel"),
        (34, "warning", "only-new"),
        (36, "warning", "rendered-text"),
        (41, "error", "controllers-not-allowed"),
    ]
    assert main(["subscription", "lint", str(FIXTURE), *config]) == ExitCode.FAILED
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith(f"{FIXTURE}:{number}: {severity}: ") for line, (number, severity, _) in zip(lines, found, strict=True)] == [True] * len(found)
    assert "4726, 4743, 4753, 4763" in lines[1]


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text("")
    config = ["--config", str(tmp_path / "gateway.toml")]
    file = tmp_path / "query.xml"
    file.write_text(encode_query_list(build_queries(load_profile().keys)))
    assert main(["subscription", "lint", str(file), "--strict", *config]) == ExitCode.OK
    file.write_text(file.read_text().replace("EventID=7045", "EventID=7045 and Level=4"))
    assert main(["subscription", "lint", str(file), *config]) == ExitCode.OK
    assert main(["subscription", "lint", str(file), "--strict", *config]) == ExitCode.WARNINGS
    file.write_text("<html/>")
    assert main(["subscription", "lint", str(file), *config]) == ExitCode.CONFIG
    assert main(["subscription", "lint", str(tmp_path / "missing.xml"), *config]) == ExitCode.FAILED
    capsys.readouterr()


KEYS = [EventKey("Security", AUDITING, "4726"), EventKey("System", CONTROL, "7045"), *(key for key in load_profile().keys if key.event_id == "8004")]
SECURITY = '<Select Path="Security">*[System[EventID=4726]]</Select>'
SYSTEM = '<Select Path="System">*[System[EventID=7045]]</Select>'
NTLM = '<Select Path="Microsoft-Windows-NTLM/Operational">*[System[EventID=8004]]</Select>'

JUDGED = {
    "all there": (SECURITY + SYSTEM + NTLM, []),
    "channels in other letters": (SECURITY.replace("Security", "SECURITY") + SYSTEM + NTLM, []),
    "Security alone": (SECURITY, ["missing-channel", "missing-channel"]),
    "a channel's display name": (SECURITY + SYSTEM + NTLM.replace("/Operational", ""), ["wrong-channel"]),
    "a misspelt channel": (SECURITY + SYSTEM + NTLM.replace("NTLM/Oper", "NTLM/Opre"), ["wrong-channel"]),
    "the collector's log": (SECURITY + SYSTEM + NTLM + '<Select Path="ForwardedEvents">*[System[EventID=4726]]</Select>', ["forwarded-events"]),
    "another provider for 8004": (
        SECURITY + SYSTEM + NTLM.replace("EventID", "Provider[@Name='Microsoft-Windows-NTLM'] and EventID"),
        ["wrong-provider"],
    ),
    "its provider for 8004": (SECURITY + SYSTEM + NTLM.replace("EventID", "Provider[@Name='Microsoft-Windows-Security-Netlogon'] and EventID"), []),
    "7041": (SECURITY + SYSTEM.replace("7045", "7041") + NTLM, ["missing-id", "slip"]),
    "a range": (SECURITY.replace("EventID=4726", "EventID &gt;= 4720 and EventID &lt;= 4730") + SYSTEM + NTLM, []),
    "a level": (SECURITY.replace("EventID=4726", "EventID=4726 and Level=4") + SYSTEM + NTLM, ["conditional"]),
    "everything": (SECURITY.replace("*[System[EventID=4726]]", "*") + SYSTEM + NTLM, ["everything"]),
    "suppressed": (SECURITY + '<Suppress Path="Security">*[System[EventID &gt; 4000]]</Suppress>' + SYSTEM + NTLM, ["suppressed"]),
    "suppressed in another query": (SECURITY + SYSTEM + NTLM + '</Query><Query Id="1"><Suppress Path="Security">*</Suppress>' + SYSTEM, []),
    "suppressed in part": (SECURITY + '<Suppress Path="Security">*[System[Level=4]]</Suppress>' + SYSTEM + NTLM, ["suppressed-in-part"]),
    "21 IDs": (SECURITY.replace("EventID=4726", " or ".join(f"EventID={number}" for number in range(4710, 4731))) + SYSTEM + NTLM, ["many-ids"]),
    "23 IDs": (SECURITY.replace("EventID=4726", " or ".join(f"EventID={number}" for number in range(4710, 4733))) + SYSTEM + NTLM, ["too-many-ids"]),
    "no XPath": (SECURITY + SYSTEM + NTLM + '<Select Path="System">EventID in (1, 2)</Select>', ["bad-xpath"]),
}


WILD = {
    "any ID of a provider": (EventKey("System", CONTROL, "*"), "*[System[Provider[@Name='Service Control Manager']]]", []),
    "any ID, and one is asked for": (EventKey("System", CONTROL, "*"), "*[System[EventID=7045]]", ["conditional"]),
    "any provider": (EventKey("System", "*", "7045"), "*[System[EventID=7045]]", []),
    "any provider, and one is asked for": (EventKey("System", "*", "7045"), "*[System[Provider[@Name='x'] and EventID=7045]]", ["conditional"]),
    "any provider, and another ID": (EventKey("System", "*", "7045"), "*[System[EventID=1]]", ["missing-id"]),
}


@pytest.mark.parametrize(("key", "xpath", "rules"), WILD.values(), ids=WILD.keys())
def test_a_profile_that_asks_for_any(key: EventKey, xpath: str, rules: list[str]) -> None:
    found = lint(f'<QueryList><Query Id="0"><Select Path="System">{xpath}</Select></Query></QueryList>'.encode(), [key])
    assert [finding.rule for finding in found] == rules


@pytest.mark.parametrize(("selects", "rules"), JUDGED.values(), ids=JUDGED.keys())
def test_judged(selects: str, rules: list[str]) -> None:
    found = lint(f'<QueryList><Query Id="0">{selects}</Query></QueryList>'.encode(), KEYS)
    assert sorted(finding.rule for finding in found) == sorted(rules)
    assert all(finding.what and (finding.fix or finding.severity is not Severity.ERROR or finding.rule == "bad-xpath") for finding in found)


OPTIONS = {
    "disabled": ("<Enabled>true<", "<Enabled>false<", "disabled"),
    "an end": ("<ReadExisting", "<Expires>2020-01-01T00:00:00.000Z</Expires><ReadExisting", "expires"),
    "asked by the collector": ("SourceInitiated", "CollectorInitiated", "collector-initiated"),
    "fetched": ('Mode="Push"', 'Mode="Pull"', "pull"),
    "late": ("<MaxLatencyTime>5000<", "<MaxLatencyTime>600000<", "late"),
    "the default mode": (">Custom<", ">Normal<", "slow-mode"),
    "a rare sign of life": ('Interval="900000"', 'Interval="7200000"', "rare-heartbeat"),
    "new events alone": ("<ReadExistingEvents>true<", "<ReadExistingEvents>false<", "only-new"),
    "rendered": (">Events<", ">RenderedText<", "rendered-text"),
    "another log": (">ForwardedEvents<", ">Security<", "log-file"),
    "computers that are no controllers": (";;;DD)(A;;GA;;;ED)", ";;;DC)", "controllers-not-allowed"),
    "nobody": ("O:NSG:NSD:(A;;GA;;;DD)(A;;GA;;;ED)(A;;GA;;;NS)", "", "controllers-not-allowed"),
    "controllers refused": ("(A;;GA;;;DD)(A;;GA;;;ED)", "(D;;GA;;;DD)", "controllers-not-allowed"),
}


@pytest.mark.parametrize(("old", "new", "rule"), OPTIONS.values(), ids=OPTIONS.keys())
def test_options(old: str, new: str, rule: str) -> None:
    written = write_collector_subscription(build_queries(load_profile().keys), SubscriptionSettings(name="identity", read_existing=True))
    assert old in written
    assert [finding.rule for finding in lint(written.replace(old, new).encode(), load_profile().keys)] == [rule]
