"""Layouts other than event XML on both engines: whatever comes, their batches are equal, octet for octet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engines import Engines
from support.events import SAMPLES, hostile_events, required_events

from normalizers.profiles import load_profile
from wire.event import EventKey, WindowsEvent
from wire.layouts.detect import BY_NAME
from wire.layouts.layout import Layout

FIXTURES = Path(__file__).parents[2] / "fixtures"
MESSAGES = sorted([*(FIXTURES / "siem").glob("*.txt"), *(FIXTURES / "syslog").glob("*.txt")])

NATIVE = ("cef", "qradar", "splunk", "splunk-classic", "snare", "winlogbeat-json", "nxlog-json", "flat-json")
"""What the kernel reads itself."""

OF_THE_REFERENCE = ("rsa", "leef")
HEADERS = (b"", b"<13>Mar 15 12:00:00 dc01 ", b"<13>1 2024-03-15T12:00:00Z dc01 evt - - - ", b"<999>Mar 15 12:00:00 dc01 evt: ")

ENGINES = Engines("mdi-current")
EVERYTHING = Engines("mdi-current", keep_all=True)
PROFILE = load_profile()
LITTLE = Engines(replace(PROFILE, keys=frozenset({EventKey("Security", "Microsoft-Windows-Security-Auditing", "4726")})))
"""A profile to which events are noise whose texts are known."""

TOKENS = (
    *(b" ", b"\t", b"\r\n", b"\n", b"\r", b"=", b"|", b"\\", b"\\n", b"\\=", b"\\t", b"#011", b"#015#012", b":", b'"', b"{", b"}", b"[", b"]", b","),
    *(b"\xff", b"\xef\xbb\xbf", b"\x00", b"\x1c", b"\xc2\xa0", b"\xc3\xa9", b"\xe2\x84\xaa", b"    "),
    *(b"4776", b"4624", b"70121", b"4294967296", b"0x1f", b"0xc000006a", b"-9214364837600034816", b"1710504000123", b"Audit Failure", b"S-1-5-18"),
    *(b" externalId=4776", b" rt=0x5", b" reason=0x5", b" dup=1 dup=2", b" cs1=Foo cs1Label=rt", b"cs3Label=msg", b" msg=The computer", b" EventID=4728"),
    *(b"Error Code: 0x1", b"\r\n\tFoo Bar: baz", b"Subject:", b" Account Name: x", b"Privileges", b" Message=", b"\tMessage=", b"\r\nMessage="),
    *(b"\tEventType=16", b"\r\nType=Audit Failure", b"\tPluginVersion=7", b"MSWinEventLog\t1", b"Audit NTLM", b"N/A", b"CORP\\bob"),
    *(b'"EventID":1,', b'"Message":"x",', b'"EventData":{', b'"winlog":{', b'"System":{', b'"#attributes":{', b'"Data":["a","b"],', b'"AccountType":"User",'),
    *(b"\\u00e9", b"\\ud83d\\ude00", b"\\ud800", b"null", b"1.5e3", b"-0", b'"Level":"Information",', b'"Keywords":["x","Audit Success"],', b'"param1":"x",'),
)


def written(layout: Layout, event: WindowsEvent) -> bytes:
    """The event in a layout, as far as that takes it."""
    if layout.carries is not None and event.event_id not in layout.carries and not layout.others:
        event = SAMPLES["4776"]
    return layout.encode_event(event)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """An event in any layout, behind a header or none."""
    layout = BY_NAME[draw(st.sampled_from(NATIVE + OF_THE_REFERENCE))]
    event = draw(required_events() | hostile_events())
    if draw(st.booleans()):
        event = replace(event, event_id=draw(st.sampled_from(("4624", "4741", "4776", "7045"))))
    return draw(st.sampled_from(HEADERS)) + written(layout, event)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message with octets cut out, doubled, or replaced by what means something to some layout."""
    message = draw(messages())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(message)))
        end = min(len(message), start + draw(st.integers(0, 24)))
        message = message[:start] + draw(st.sampled_from((b"", message[start:end] * 2, *TOKENS))) + message[end:]
    return message


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_fixtures(path: Path) -> None:
    ENGINES.agree([path.read_bytes(), *path.read_bytes().split(b"\n")])


@pytest.mark.parametrize("name", NATIVE)
def test_samples_are_the_kernels_own(name: str) -> None:
    engines = Engines("mdi-current")
    sent = [header + written(BY_NAME[name], event) for header in HEADERS for event in SAMPLES.values()]
    assert len(engines.agree(sent).index) == len(sent)
    assert engines.share_left() == 0


@pytest.mark.parametrize("name", NATIVE)
def test_noise_is_the_kernels_own(name: str) -> None:
    engines = Engines("mdi-current")
    sent = [header + written(BY_NAME[name], replace(SAMPLES["4726"], event_id="4624", message="An account was logged on.")) for header in HEADERS]
    assert engines.agree(sent).filtered == {"4624": len(sent)}
    assert engines.share_left() == 0


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "A computer account was created.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Name:\t\tDC01$\r\n\r\nRead:  C:\\a", id="lines"
        ),
        pytest.param("A computer account was created.    Subject:  Security ID:  S-1-5-18  Account Name:  DC01$    Privileges:  -", id="flat"),
        pytest.param("Account Name: x\r\nmore of it\r\n\r\nfree text: it is\r\n Größe: 5\r\nC:\\x:\r\n", id="odd lines"),
    ],
)
def test_texts_of_events_without_a_table_are_the_kernels_own(name: str, text: str) -> None:
    engines = Engines("mdi-current")
    sent = [BY_NAME[name].encode_event(replace(SAMPLES["4726"], event_id="4741", message=text, data=data)) for data in ((), (("Account Name", "y"),))]
    assert len(engines.agree(sent).index) == len(sent)
    assert engines.share_left() == 0


@pytest.mark.parametrize(
    ("message", "rules"),
    [
        pytest.param(b"<13>Mar 15 12:00:00 fw01 CEF:0|Acme|Firewall|1|drop|Dropped|5|src=192.0.2.1", {"not-a-windows-event": 1}, id="another product's CEF"),
        pytest.param(b"<13>Mar 15 12:00:00 fw01 free text", {"unknown-format": 1}, id="no event at all"),
        pytest.param(b'<13>Mar 15 12:00:00 fw01 {"level": "info", "text": "hello"}', {"unknown-format": 1}, id="JSON of something else"),
        pytest.param(b"AgentDevice=WindowsLog\tPluginVersion=7.2\tEventID=4776\tTimeGenerated=1456144380\tMessage=x", {"wincollect": 1}, id="WinCollect"),
    ],
)
def test_what_is_refused_by_the_kernel(message: bytes, rules: dict[str, int]) -> None:
    engines = Engines()
    assert engines.agree([message]).rejected == rules
    assert engines.share_left() == 0


@given(st.lists(messages(), max_size=4))
def test_events(sent: list[bytes]) -> None:
    ENGINES.agree(sent)
    LITTLE.agree(sent)


@given(st.lists(mutated(), max_size=4))
def test_mutated_events(sent: list[bytes]) -> None:
    ENGINES.agree(sent)
    LITTLE.agree(sent)
    EVERYTHING.agree(sent)


@given(st.sampled_from(HEADERS), st.sampled_from([written(BY_NAME[name], SAMPLES["4776"]) for name in NATIVE]), st.lists(st.sampled_from(TOKENS), max_size=6))
def test_what_follows_a_beginning(header: bytes, payload: bytes, tokens: list[bytes]) -> None:
    sent = [header + payload[:end] + b"".join(tokens) for end in (5, 14, 40, 120)]
    ENGINES.agree(sent)


CEF_KEYS = (
    *("externalId=4624", "externalId=4776", "externalId=04624", "externalId=", "cat=Security", "cat=", "rt=1710504000123", "rt=soon", "rt=", "dhost=dc01"),
    *("cs1=4726", "cs1=1710504000123", "cn2=x", "cs1Label=rt", "cs1Label=externalId", "cs1Label= dhost", "cs1Label=", "cs3=p cs3Label=EventSource"),
    *("cs1Label=\\\\rt", "cs1Label=r\\t", "cn2Label=cat", "cs4=0x0 cs4Label=Reason or Error Code"),
    *("shost=\\\\\\\\WKS", "duser=a\\=b", "EventID=4624", "dvchost=dc02"),
    *("a=" * 40, "a= " * 60, "text", "Status=0x5", "msg=a b=c"),
)

CEF_REQUIRED = ("externalId=4624", "cat=Security", "rt=1710504000123", "dhost=dc01")


@given(st.lists(st.sampled_from(CEF_KEYS), max_size=9), st.permutations(CEF_REQUIRED), st.integers(0, 8))
def test_cef_that_is_filtered_before_all_of_it_is_read(pairs: list[str], required: list[str], at: int) -> None:
    extension = " ".join(pairs[:at] + required + pairs[at:])
    sent = [f"CEF:0|Microsoft|Microsoft Windows||Microsoft-Windows-Security-Auditing:4624|n|Low|{text}".encode() for text in (extension, " ".join(pairs))]
    ENGINES.agree(sent)
    LITTLE.agree(sent)


@given(st.integers(1, 5), st.lists(st.sampled_from(["\\", "|", "\\|", "a", "externalId="]), max_size=8))
def test_where_the_header_of_cef_ends(field: int, pieces: list[str]) -> None:
    fields = ["0", "Microsoft", "Microsoft Windows", "", "Microsoft-Windows-Security-Auditing:4776", "n", "Low", " ".join(CEF_REQUIRED)]
    fields[field] += "".join(pieces)
    ENGINES.agree([("CEF:" + "|".join(fields)).encode(), ("CEF:" + "|".join(fields[: field + 1])).encode()])


def test_cef_of_noise_is_not_left_for_its_labels() -> None:
    engines = Engines()
    message = b"CEF:0|Microsoft|Microsoft Windows||Microsoft-Windows-Security-Auditing:4624|n|Low|externalId=4624 cat=Security rt=1710504000123 dhost=dc01 "
    assert engines.agree([message + b"cs3=Microsoft-Windows-Security-Auditing cs3Label=EventSource", message + b"cs1=5 cs1Label=rt"]).filtered == {"4624": 2}
    assert engines.share_left() == 0


@pytest.mark.parametrize("seconds", ["12", "123", "1", "12.5 PM +0000", "12" + " " * 23, "12" + "x" * 25])
@pytest.mark.parametrize("end", ["\r\n", "\n\n\r\n\n", "\n" * 6, " ", "#015#012", "\r"])
def test_date_lines(seconds: str, end: str) -> None:
    keys = "LogName=Security\r\nSourceName=Microsoft-Windows-Security-Auditing\r\nEventCode=4726\r\nMessage=A user account was deleted."
    ENGINES.agree([f"03/15/2024 12:00:{seconds}{end}{keys}".encode()])


@pytest.mark.parametrize("key", ["rt", "cat", "dhost", "EventSource", "reason"])
def test_a_result_code_is_sought_among_data_alone(key: str) -> None:
    pairs = {"externalId": "4776", "rt": "1710504000123", "cat": "Security", "dhost": "dc01", "EventSource": "", key: "0x5"}
    extension = " ".join(f"{name}={value}" for name, value in pairs.items())
    ENGINES.agree([f"CEF:0|Microsoft|Microsoft Windows||Microsoft-Windows-Security-Auditing:4776|n|Low|{extension}".encode()])
