"""What the layouts refuse and by which rule, what they repair, and what strict mode makes of a repair."""

from __future__ import annotations

from contextlib import suppress

import pytest

from pipeline.errors import MessageError
from wire.event_time import format_iso
from wire.layouts.assemble import level_number, user_fields
from wire.layouts.detect import BY_NAME, detect
from wire.layouts.layout import Mode, Reading

SNARE = "MSWinEventLog\t1\tSecurity\t7\tMon Mar 15 10:11:12 2021\t4726\tMicrosoft-Windows-Security-Auditing\tN/A\tN/A\tSuccess Audit\tdc01\tNone\t\ttext\t8"
CLASSIC = "03/15/2021 10:11:12 AM\nLogName=Security\nEventCode=4726\nComputerName=dc01\nMessage=text"
LEEF = "LEEF:2.0|Microsoft|Windows|10|4726|^|devTime=2021-03-15T10:11:12.345Z^a=1"
FLAT = '{"EventID":4726,"TimeCreated":"2021-03-15T10:11:12.345Z","a":"1"}'
NXLOG = '{"EventID":4726,"EventTime":"2021-03-15T10:11:12.345Z","SourceModuleType":"im_msvistalog"}'
BEAT = '{"@timestamp":"2021-03-15T10:11:12.345Z","winlog":{"event_id":4726,"event_data":{"a":"1"}}}'

REFUSED = {
    "snare: too few fields": ("snare", "MSWinEventLog\t1\tSecurity", "wrong-field-count"),
    "snare: no event ID": ("snare", SNARE.replace("4726", ""), "missing-key:EventID"),
    "snare: event ID a word": ("snare", SNARE.replace("4726", "N/A"), "bad-event-id"),
    "snare: tabs lost": ("snare", SNARE.replace("\t", " "), "separators"),
    "classic: no event ID": ("splunk-classic", CLASSIC.replace("EventCode=4726", "EventCode="), "missing-key:EventID"),
    "classic: keys behind Message": ("splunk-classic", "LogName=Security\nMessage=x\nEventCode=4726", "missing-key:EventID"),
    "leef: a firewall's 4726": ("leef", LEEF.replace("Microsoft|Windows", "Acme|Firewall"), "not-a-windows-event"),
    "leef: event ID a word": ("leef", LEEF.replace("4726", "deny"), "bad-event-id"),
    "leef: event ID beyond 32 bits": ("leef", LEEF.replace("4726", "99999999999"), "bad-event-id"),
    "leef: missing pipes": ("leef", "LEEF:2.0|Microsoft|Windows", "leef-header"),
    "flat: no event ID": ("flat-json", '{"Channel":"Security"}', "missing-key:EventID"),
    "flat: negative event ID": ("flat-json", FLAT.replace("4726", "-1"), "bad-event-id"),
    "flat: fractional event ID": ("flat-json", FLAT.replace("4726", "4726.0"), "bad-event-id"),
    "flat: superscript event ID": ("flat-json", FLAT.replace("4726", '"²"'), "bad-event-id"),
    "flat: cut": ("flat-json", FLAT[:-1], "json-not-well-formed"),
    "nxlog: cut": ("nxlog-json", NXLOG[:-1], "json-not-well-formed"),
    "winlogbeat: no event ID": ("winlogbeat-json", '{"winlog":{}}', "missing-key:EventID"),
    "winlogbeat: too deep": ("winlogbeat-json", '{"winlog":' + '{"a":' * 40 + "1" + "}" * 41, "json-too-deep"),
}

REPAIRED = {
    "snare: bad time": ("snare", SNARE.replace("Mar 15", "Feb 30"), "bad-time"),
    "snare: no time": ("snare", SNARE.replace("Mon Mar 15 10:11:12 2021", ""), "no-time"),
    "snare: escaped tabs": ("snare", SNARE.replace("\t", "#011"), "escaped-controls"),
    "classic: no time": ("splunk-classic", CLASSIC.split("\n", 1)[1], "no-time"),
    "leef: undeclared delimiter": ("leef", LEEF.replace("2.0", "1.0").replace("|^|", "|"), "repaired-delimiter"),
    "leef: bad time": ("leef", LEEF.replace("10:11", "99:11"), "bad-time"),
    "flat: leap second": ("flat-json", FLAT.replace("10:11:12", "23:59:60"), "bad-time"),
    "flat: offset +99:99": ("flat-json", FLAT.replace("345Z", "345+99:99"), "bad-time"),
    "flat: year 0": ("flat-json", FLAT.replace("2021", "0000"), "bad-time"),
    "flat: 200 names": ("flat-json", FLAT[:-1] + "".join(f',"n{i}":"v"' for i in range(200)) + "}", "too-many-names"),
    "nxlog: no time": ("nxlog-json", NXLOG.replace("EventTime", "EventReceivedTime"), "no-time"),
    "winlogbeat: bad time": ("winlogbeat-json", BEAT.replace("T10", "T77"), "bad-time"),
}


@pytest.mark.parametrize(("name", "payload", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(name: str, payload: str, rule: str) -> None:
    with pytest.raises(MessageError) as error:
        BY_NAME[name].parse_event(payload.encode(), Reading())
    assert error.value.rule == rule
    assert error.value.document


@pytest.mark.parametrize(("name", "payload", "rule"), REPAIRED.values(), ids=REPAIRED.keys())
def test_repaired_unless_strict(name: str, payload: str, rule: str) -> None:
    event = BY_NAME[name].parse_event(payload.encode(), Reading())
    assert event.event_id == "4726"
    assert rule in event.warnings
    assert (event.time is None) == rule.endswith("-time")
    with pytest.raises(MessageError) as error:
        BY_NAME[name].parse_event(payload.encode(), Reading(mode=Mode.STRICT))
    assert error.value.rule == rule


@pytest.mark.parametrize(
    ("name", "payload"),
    [("snare", SNARE), ("splunk-classic", CLASSIC), ("nxlog-json", NXLOG.replace("T10:11:12.345Z", " 10:11:12"))],
    ids=["snare", "classic", "nxlog"],
)
def test_a_time_without_a_zone_is_in_the_configured_one(name: str, payload: str) -> None:
    event = BY_NAME[name].parse_event(payload.encode(), Reading(zone_offset_minutes=120))
    assert event.time is not None
    assert format_iso(event.time.unix_ns, 0) == "2021-03-15T08:11:12Z"
    assert "no-milliseconds" in event.warnings


def test_not_utf_8_is_repaired() -> None:
    event = BY_NAME["leef"].parse_event(LEEF.encode() + b"\xe4", Reading())
    assert event.data == (("a", "1\ufffd"),)
    assert event.warnings == ("not-utf-8",)


def test_a_cut_text_is_told() -> None:
    cut = SNARE.replace("text", "A user account was deleted.    Subject:   Security ID:  S-1-5-18   Account Name:  dad")
    assert "truncated" in BY_NAME["snare"].parse_event(cut.encode(), Reading()).warnings


def test_another_providers_event_of_the_same_id_keeps_its_own_labels() -> None:
    other = SNARE.replace("Microsoft-Windows-Security-Auditing", "Acme").replace("text", "Account Name:  alice  Logon ID:  7")
    assert BY_NAME["snare"].parse_event(other.encode(), Reading()).data == (("Account Name", "alice"), ("Logon ID", "7"))


USERS = {
    "CONTOSO\\alice": {"user_domain": "CONTOSO", "user_name": "alice"},
    "alice": {"user_name": "alice"},
    "S-1-5-18": {"user_sid": "S-1-5-18"},
    "S-1-5-18-": {"user_name": "S-1-5-18-"},
    "N/A": {},
    " - ": {},
    "": {},
}


@pytest.mark.parametrize(("text", "expected"), USERS.items(), ids=[text or "nothing" for text in USERS])
def test_users(text: str, expected: dict[str, str]) -> None:
    assert user_fields(text) == expected


LEVELS = [
    ("Information", "", "4"),
    ("Information", "Audit Success", "0"),
    ("ERROR", "Audit Failure", "0"),
    ("Error", "", "2"),
    ("4", "Audit Success", "4"),
    ("Odd", "", "Odd"),
    ("", "", ""),
]


@pytest.mark.parametrize(("name", "keywords", "expected"), LEVELS, ids=[f"{name or 'nothing'} {keywords}" for name, keywords, _ in LEVELS])
def test_levels(name: str, keywords: str, expected: str) -> None:
    assert level_number(name, keywords) == expected


HOSTILE = {
    "json: blanks": b"{" + b" " * 262_000,
    "json: quotes": b"{" + b'"a"' * 87_000,
    "json: one name": b'{"event_id":1' + b',"a":1' * 43_000 + b"}",
    "json: many names": b'{"event_id":1' + b"".join(b',"a%d":1' % number for number in range(20_000)) + b"}",
    "json: lone surrogates": b'{"event_id":1,"a":"' + b"\\ud800" * 43_000 + b'"}',
    "json: a long path": b'{"event_id":1,"event_data":{"' + b"." * 262_000 + b'":1}}',
    "leef: pieces": b"LEEF:1.0|Microsoft|Windows|1|1|a=1" + b"\t" * 262_000,
    "leef: pipes": b"LEEF:1.0" + b"|" * 262_000,
    "leef: blanks": b"LEEF:1.0|Microsoft|Windows|1|1|" + b" " * 131_000 + b"^" + b" " * 131_000,
    "snare: tabs": b"MSWinEventLog" + b"\t" * 262_000,
    "snare: escapes": b"MSWinEventLog" + b"#011" * 65_000,
    "classic: keys": b"LogName=a\nEventCode=1\n" + b"User=x\n" * 37_000,
    "classic: blanks": b"LogName=a\nEventCode=1\n" + b" " * 262_000,
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_large_payloads_are_read_in_linear_time(payload: bytes) -> None:
    layout = detect(payload)
    if layout is not None:
        with suppress(MessageError):  # quadratic work would take minutes
            layout.parse_event(payload, Reading())
