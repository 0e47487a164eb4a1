"""Where the standard libraries of Python and Rust disagree, each with a test by name: both engines hold to a rule of their own, which is ASCII's.

strip, white space, case     this file: what only Unicode calls white space or a capital is neither
integers                     this file: digits, signs and underscores that `int` takes and nobody sends
escapes of JSON              this file, both engines' bytes; kernel/core/tests/json_out.rs, every ASCII character at every place
dates and negative times     this file; test_native_normalizer.py, test_times: years, offsets, digits
addresses, IPv6 zones        test_native_radius.py, test_stations
trimming of text             this file; test_native_judge.py, test_ordinary_data_is_the_kernels_own
accounting of any status     this file
log levels, SIDs that are none, control characters in EVTX   this file
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from support.accounting import frames_of, packet_of
from support.engines import Engines, equal
from support.events import SAMPLES
from support.evtx_writer import STRING, ChunkWriter, Element

from kernel import render_chunks
from wire.event_xml import encode_event
from wire.evtx_expansion import MAX_STEPS, MAX_TEXT
from wire.layouts.detect import BY_NAME

ENGINES = Engines("mdi-current")
EVERYTHING = Engines("mdi-current", keep_all=True)
ARRIVAL_MS = 1_710_504_001_000
STATUS_TYPES = [*range(1, 17), 99, 2**32 - 1]


def kept(event_id: str, old: str, new: str) -> dict[str, Any]:
    """The record, as the kernel makes it too, of a sample in which a text is another."""
    message = encode_event(SAMPLES[event_id])
    assert old.encode() in message
    left = ENGINES.native.left
    batch = ENGINES.agree([message.replace(old.encode(), new.encode(), 1)])
    assert ENGINES.native.left == left, "the kernel is sure of it"
    record: dict[str, Any] = orjson.loads(batch.records)
    assert batch.records == orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    return record


@pytest.mark.parametrize("space", ["\u00a0", "\u0085", "\u2003", "\u3000", "\u2028", "\ufeff"], ids=ascii)
def test_strip_takes_no_white_space_of_unicode(space: str) -> None:
    assert kept("4776", ">dana<", f">{space}dana{space}<")["user"]["name"] == f"{space}dana{space}"
    assert kept("4776", "<Level>0<", f"<Level>{space}0<")["metadata"]["log_level"] == f"{space}0"


@pytest.mark.parametrize("name", ["cef", "qradar", "splunk", "splunk-classic", "snare"])
@pytest.mark.parametrize("space", ["\u00a0", "\u0085", "\u2003", "\x1c", "\x1f", "\x0b", "\x0c"], ids=ascii)
def test_no_other_white_space_parts_words(name: str, space: str) -> None:
    message = BY_NAME[name].encode_event(SAMPLES["4728"])
    for old in (b"Payroll", b"Account Name:", b"4728", b" "):
        for new in (old + space.encode(), space.encode() + old, old.replace(b" ", space.encode())):
            ENGINES.agree([message.replace(old, new), message.replace(old, new, 1)])


def test_case_is_that_of_ascii() -> None:
    assert kept("4776", "0xc000006a", "0XC000006A")["status_code"] == "0xc000006a"
    assert kept("4776", "WKS-042", "\u0130\u212a\u00c4")["src_endpoint"]["hostname"] == "\u0130\u212a\u00c4"
    for name in ("Local\u017fystem", "LOCAL\u017fYSTEM", "NT AUTHORITY\\\u017fystem", "\u212aRBTGT"):
        assert "\u017f" in str(kept("7045", "LocalSystem", name)) or "\u212a" in str(kept("7045", "LocalSystem", name))


@pytest.mark.parametrize("number", ["\u0664\u0667\u0667\u0666", "4_776", "+4776", "-4776", "4776.0", "\u00a04776", "0x12a8"], ids=ascii)
def test_integers_are_ascii_digits(number: str) -> None:
    message = encode_event(SAMPLES["4776"]).replace(b">4776<", f">{number}<".encode())
    assert ENGINES.agree([message]).rejected == {"bad-event-id": 1}
    for name in ("Level", "Version", "Task", "Opcode", "EventRecordID"):
        head, _, rest = encode_event(SAMPLES["4776"]).partition(f"<{name}>".encode())
        ENGINES.agree([head + f"<{name}>{number}".encode() + rest[rest.index(b"<") :]])


def test_json_escapes_what_orjson_escapes() -> None:
    text = "".join(map(chr, [*range(0x20, 0x180), 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF])).replace("&", "").replace("<", "")
    assert kept("4776", "<EventData>", f"<EventData><Data Name='Text'>{text}</Data>")["unmapped"]["Text"] == text
    controls = "".join(f"\\u{number:04x}" for number in range(1, 0x20))
    message = BY_NAME["winlogbeat-json"].encode_event(SAMPLES["4776"]).replace(b"dana", controls.encode())
    ENGINES.agree([message, message.replace(b"\\u0001", b"\\ud800"), message.replace(b"\\u0001", b"\\u007f\\/\\ud83d\\ude00")])


@pytest.mark.parametrize(
    "day", ["2023-02-29", "1900-02-29", "2024-04-31", "2024-00-01", "2024-13-01", "0000-01-01", "2024-03-00", "\u0662\u0660\u0662\u0664-01-01"], ids=ascii
)
def test_a_day_that_is_none_is_no_time(day: str) -> None:
    assert kept("4776", "2024-03-15T", f"{day}T")["time"] == ARRIVAL_MS


@pytest.mark.parametrize("time", ["23:59:60", "24:00:00", "12:60:00", "1:00:00", "12:00"])
def test_a_time_of_day_that_is_none_is_no_time(time: str) -> None:
    assert kept("4776", "T12:00:00.1234567Z", f"T{time}Z")["time"] == ARRIVAL_MS


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        pytest.param("2000-02-29T00:00:00Z", 951_782_400_000, id="a leap day"),
        pytest.param("1969-12-31T23:59:59.9996Z", -1, id="less than a millisecond before 1970"),
        pytest.param("1969-12-31T23:59:59.9990000Z", -1, id="a millisecond before 1970"),
        pytest.param("1969-12-31T23:59:58.0001Z", -2000, id="before 1970 by less than two seconds"),
    ],
)
def test_times_are_rounded_down(time: str, milliseconds: int) -> None:
    assert kept("4776", "2024-03-15T12:00:00.1234567Z", time)["time"] == milliseconds


def test_no_parser_trims_what_a_sender_wrote() -> None:
    assert kept("4776", ">dana<", "> dana\n\t<")["user"]["name"] == " dana\n\t"


@pytest.mark.parametrize(("level", "name"), [("0", "LogAlways"), ("5", "Verbose"), ("6", "6"), ("16", "16"), ("255", "255"), ("-1", "-1")])
def test_levels_without_a_name_are_numbers(level: str, name: str) -> None:
    assert kept("4776", "<Level>0<", f"<Level>{level}<")["metadata"]["log_level"] == name


@pytest.mark.parametrize("sid", ["nobody", "CONTOSO\\dana", "\u017f-1-5-21-1", "S-1", "-"])
def test_a_member_whose_sid_is_none_has_no_uid(sid: str) -> None:
    assert "uid" not in kept("4728", "S-1-5-21-3623811015-3361044348-30300820-1142", sid)["user"]


@pytest.mark.parametrize("status_type", STATUS_TYPES)
@pytest.mark.parametrize("port", ["Virtual", "Wireless-802.11"])
def test_accounting_of_any_status(status_type: int, port: str) -> None:
    pairs = (("Acct-Status-Type", str(status_type)), ("NAS-Port-Type", port), ("User-Name", "dana"), ("Framed-IP-Address", "10.8.0.1"))
    frames = frames_of(packet_of(*pairs), packet_of(*pairs, ("Acct-Session-Id", "9")), packet_of(*pairs[:1]), aliases=bytes(48))
    equal(ENGINES.native.normalize_radius(frames, ""), ENGINES.reference.normalize_radius(frames, ""))


@pytest.mark.parametrize("character", ["\x01", "\x08", "\x0b", "\x0f", "\x1f", "\ufffe"], ids=ascii)
def test_control_characters_of_evtx_cost_no_event(character: str) -> None:
    writer = ChunkWriter()
    fields = (Element("Provider", ("Name", (STRING, "P".encode("utf-16-le")))), Element("EventID", value=(STRING, "9".encode("utf-16-le"))))
    data = Element("Data", ("Name", "Text"), value=(STRING, f"a{character}b".encode("utf-16-le")))
    assert writer.add_element(Element("Event", children=[Element("System", children=fields), Element("EventData", children=[data])]), 1)
    text, _, _ = render_chunks(writer.close(), True, MAX_TEXT, MAX_STEPS)
    batch = EVERYTHING.agree_on_events([text[:]])
    assert orjson.loads(batch.records)["unmapped"]["Text"] == "a\ufffdb"
