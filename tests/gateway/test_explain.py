"""Explain says what a message is, where its fields stand, which rule it breaks and what to change, whatever the octets."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import main
from gateway.exit_code import ExitCode
from gateway.explain import account_for, account_for_refused, cut_messages, render_json, render_text, write_rejected
from gateway.fixes import FIXES, fix_for
from normalizers.normalizer import Normalizer
from pipeline.model import Origin, Reject, Transport
from pipeline.rejects import Rejected

ORIGIN = Origin("explain", Transport.FILE, "-", 1_600_000_000_000_000_000)
NORMALIZER = Normalizer()

XML = (
    b"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/>"
    b"<EventID>4776</EventID><TimeCreated SystemTime='2026-03-01T10:00:00.123456700Z'/><EventRecordID>77</EventRecordID>"
    b"<Channel>Security</Channel><Computer>dc1.contoso.example</Computer></System><EventData>"
    b"<Data Name='PackageName'>MICROSOFT_AUTHENTICATION_PACKAGE_V1_0</Data><Data Name='TargetUserName'>anna</Data>"
    b"<Data Name='Workstation'>WS1</Data><Data Name='Status'>0xc000006a</Data></EventData></Event>"
)


def explain(octets: bytes) -> list[dict[str, object]]:
    accounts = [account_for(NORMALIZER, found, ORIGIN) for found in cut_messages(octets, 1 << 18)]
    shown: list[dict[str, object]] = orjson.loads(render_json(accounts))
    return shown


def test_a_kept_event() -> None:
    (account,) = explain(b"<13>Mar  1 10:00:00 dc1 " + XML)
    assert account["verdict"] == "normalized"
    assert account["format"] == "event-xml"
    assert account["key"] == {"channel": "Security", "provider": "Microsoft-Windows-Security-Auditing", "event_id": "4776"}
    record = account["record"]
    assert isinstance(record, dict)
    assert record["metadata"]["event_code"] == "4776"


def test_fields_stand_where_it_says() -> None:
    (account,) = explain(XML)
    raw, fields = base64.b64decode(str(account["raw"])), account["fields"]
    assert isinstance(fields, list)
    stands = {field["name"]: raw[field["start"] : field["end"]].decode() for field in fields if field["start"] >= 0}
    assert stands["data.TargetUserName"] == "anna"
    assert stands["computer"] == "dc1.contoso.example"
    assert all(stands[field["name"]] == field["text"] for field in fields if field["name"] in stands)


def test_a_short_text_is_looked_for_behind_its_name() -> None:
    head = b"<134>1 2026-05-01T10:00:00Z dc1 wazuh 0 - - "
    system = b'{"win":{"system":{"providerName":"Microsoft-Windows-Security-Auditing","eventID":"4728","version":"0","level":"1","task":"13826","opcode":"1",'
    rest = b'"keywords":"0x8020000000000000","eventRecordID":"77","channel":"Security","computer":"dc1"},"eventdata":{"memberName":"1"}}}'
    (account,) = explain(head + system + rest)
    fields = account["fields"]
    assert isinstance(fields, list)
    starts = {field["name"]: field["start"] for field in fields}
    raw = head + system + rest
    for name, marked in {"version": b'"version":"', "level": b'"level":"', "opcode": b'"opcode":"', "data.MemberName": b'"memberName":"'}.items():
        assert starts[name] == raw.index(marked) + len(marked)


def test_equal_texts_stand_each_behind_its_own_name() -> None:
    head = b"<13>Mar  1 10:00:00 dc1 CEF:0|Microsoft|Microsoft Windows||Microsoft-Windows-Security-Auditing:4776|x|5|"
    raw = head + b"rt=1772359200000 cat=Security cn1=5 externalId=5 duser=5 dvchost=a"
    (account,) = explain(raw)
    fields = account["fields"]
    assert isinstance(fields, list)
    starts = {field["name"]: field["start"] for field in fields}
    assert starts["data.cn1"] == raw.index(b"cn1=") + 4
    assert starts["data.duser"] == raw.index(b"duser=") + 6


#   octets                                                     verdicts                      rule               why
CASES = [
    (XML.replace(b"4776", b"4624"),                            ["filtered"],                 "",                "understood and unwanted"),
    (b"-- MARK --\n",                                          ["control"],                  "",                "a keep-alive"),
    (b"hello",                                                 ["rejected"],                 "unknown-format",  "no format"),
    (XML[:400],                                                ["rejected"],                 "not-well-formed", "a datagram cut short"),
    (b"<!DOCTYPE x>" + XML,                                    ["rejected"],                 "unknown-format",  "a DOCTYPE begins no event"),
    (b"<13>Mar  1 10:00:00 a x\n<13>Mar  1 10:00:00 a y",      ["rejected", "rejected"],     "unknown-format",  "one message a line"),
    (b"27 <13>Mar  1 10:00:00 a hello27 <13>Mar  1 10:00:00 b hello", ["rejected"] * 2,      "unknown-format",  "octet counting"),
    (b"300 <13>Mar  1 10:00:00 a hello",                       ["rejected"],                 "truncated",       "a counted message that ends early"),
    (b"<13>" + b"x" * (1 << 18),                               ["rejected"],                 "oversize",        "too long"),
    (XML.decode().encode("utf-16"),                            ["normalized"],               "",                "UTF-16, as Event Viewer saves it"),
    (XML + b"\n" + XML + b"\n",                                ["normalized"] * 2,           "",                "two events"),
    (XML.replace(b"><", b">\n  <"),                            ["normalized"],               "",                "printed over many lines"),
    (b"",                                                      [],                           "",                "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "verdicts", "rule"), [case[:3] for case in CASES], ids=[case[3] for case in CASES])
def test_verdicts(octets: bytes, verdicts: list[str], rule: str) -> None:
    accounts = explain(octets)
    assert [account["verdict"] for account in accounts] == verdicts
    assert {account["rule"] for account in accounts} <= {rule}
    assert all(account["fix"] for account in accounts if account["rule"])


@given(st.binary(max_size=400))
def test_any_octets_are_explained_harmlessly(octets: bytes) -> None:
    accounts = [account_for(NORMALIZER, found, ORIGIN) for found in cut_messages(octets, 300)]
    assert all(line.isprintable() for line in render_text(accounts, colour=False).split("\n"))
    assert len(orjson.loads(render_json(accounts))) == len(accounts)


@given(st.integers(0, len(XML) - 1), st.binary(max_size=4))
def test_mutated_events_are_explained_harmlessly(at: int, other: bytes) -> None:
    accounts = [account_for(NORMALIZER, found, ORIGIN) for found in cut_messages(XML[:at] + other + XML[at + len(other) :], 1 << 18)]
    assert all(line.isprintable() for line in render_text(accounts, colour=False).split("\n"))


def test_the_place_of_the_fault_is_shown() -> None:
    (account,) = (account_for(NORMALIZER, found, ORIGIN) for found in cut_messages(b"<13>Mar  1 10:00:00 dc1 hello", 100))
    lines = render_text([account], colour=False).splitlines()
    mark = next(number for number, line in enumerate(lines) if line.strip() == "^")
    assert lines[mark - 1][lines[mark].index("^") :] == "hello"


def test_colour_is_for_a_terminal() -> None:
    accounts = [account_for(NORMALIZER, b"hello", ORIGIN)]
    assert "\x1b" in render_text(accounts, colour=True)
    assert "\x1b" not in render_text(accounts, colour=False)


def test_a_refused_message_keeps_its_own_rule() -> None:
    kept = Rejected(1, Origin("listeners.syslog", Transport.TCP, "192.0.2.1", 1_600_000_000_000_000_000), Reject(b"\xff" + XML, "oversize", 0, "too long"))
    account = account_for_refused(NORMALIZER, write_rejected(kept))
    assert (account.verdict, account.rule, account.raw) == ("rejected", "oversize", b"\xff" + XML)
    assert account.sender == "192.0.2.1 over tcp at 2020-09-13 12:26:40 UTC"


def test_a_refused_connection_is_told_with_what_ends_it() -> None:
    detail = "ticket for HTTP/10.0.0.5@CONTOSO.EXAMPLE\x1b[2J"
    kept = Rejected(1, Origin("listeners.wef", Transport.HTTP, "192.0.2.1", 1_600_000_000_000_000_000), Reject(b"", "kerberos-wrong-spn", 0, detail))
    account = account_for_refused(NORMALIZER, write_rejected(kept))
    shown = render_text([account], colour=False)
    assert shown.startswith("connection from 192.0.2.1 over http at 2020-09-13 12:26:40 UTC\n  refused  kerberos-wrong-spn: ")
    assert "setspn -S HTTP/" in shown
    assert "\x1b" not in shown
    [written] = orjson.loads(render_json([account]))
    assert (written["verdict"], written["rule"], written["detail"]) == ("refused", "kerberos-wrong-spn", detail)
    assert written["meaning"]
    assert written["fix"]


@pytest.mark.parametrize(("rule", "layout"), FIXES)
def test_fixes_are_found(rule: str, layout: str) -> None:
    assert fix_for(rule, layout) == FIXES[rule, layout]
    assert ":" in rule or fix_for(f"{rule}:EventCode", layout) == FIXES[rule, layout]


def test_a_fix_for_any_layout_is_the_last_resort() -> None:
    assert fix_for("missing-key:EventCode", "splunk") == FIXES["missing-key", "splunk"]
    assert fix_for("missing-key:EventCode", "leef") == FIXES["missing-key", ""]
    assert fix_for("no-such-rule", "leef") == ""


@pytest.fixture
def no_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration, no state."""
    monkeypatch.setattr("gateway.config.SYSTEM_FILE", tmp_path / "none.toml")
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.usefixtures("no_gateway")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.xml"
    path.write_bytes(XML)
    assert main(["explain", str(path)]) == ExitCode.OK
    assert "verdict  normalized" in capsys.readouterr().out
    assert main(["explain", str(path), "--json"]) == ExitCode.OK
    assert orjson.loads(capsys.readouterr().out)[0]["verdict"] == "normalized"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["explain", "/no/such/file"], ExitCode.FAILED, "/no/such/file: No such file or directory"),
        (["explain", "--last"], ExitCode.FAILED, "no gateway is running"),
        (["explain", "--last", "x"], ExitCode.USAGE, "x is no number"),
        (["explain", "--reason", "x"], ExitCode.USAGE, "is for --last"),
    ],
    ids=["no file", "no gateway", "no number", "a reason for a file"],
)
@pytest.mark.usefixtures("no_gateway")
def test_what_can_not_be_explained(arguments: list[str], code: ExitCode, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1
