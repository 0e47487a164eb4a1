"""Replay: every kind of file, whole and broken, becomes records that are accounted for, once each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evtx_oracle import read_with_oracle
from support.evtx_writer import DAMAGES, write_evtx
from support.examples import one_in
from support.ocsf import check
from support.replays import EVENTS, NOW_NS, replay

from gateway.cli import main
from gateway.replay.course import Summary
from gateway.replay.files import SNIFFED, Found, Kind, Unreadable, find_files, sniff
from gateway.replay.report import render_summary
from gateway.simulate.events import REQUIRED_IDS, generate_events
from kernel import Engine
from normalizers.normalizer import Normalizer
from wire.event import WindowsEvent
from wire.event_xml import encode_event
from wire.layouts.detect import BY_NAME

WANTED = Counter(event.event_id for event in EVENTS if event.event_id in REQUIRED_IDS)
NOISE = Counter(event.event_id for event in EVENTS if event.event_id not in REQUIRED_IDS)
XML = [encode_event(event) for event in EVENTS]
ALL = Normalizer(keep_all=True)


def syslog(events: Sequence[WindowsEvent], layout: str, header: bytes = b"<134>1 2024-05-06T07:08:09Z dc01 app - - - ") -> list[bytes]:
    return [header + BY_NAME[layout].encode_event(event) for event in events]


# -- kinds of files

WRITERS: dict[str, Callable[[], bytes]] = {
    "own.evtx": lambda: write_evtx(EVENTS, per_chunk=70),
    "wrapped.xml": lambda: b"<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n<Events>\r\n" + b"\r\n".join(XML) + b"\r\n</Events>\r\n",
    "concatenated.xml": lambda: b"".join(XML),
    "utf-16.xml": lambda: ("<?xml version='1.0' encoding='utf-16'?><Events>" + b"".join(XML).decode() + "</Events>").encode("utf-16"),
    "utf-16-without-mark.xml": lambda: ("<Events>" + b"".join(XML).decode() + "</Events>").encode("utf-16-le"),
    "utf-8-with-mark.xml": lambda: b"\xef\xbb\xbf" + b"\n".join(XML),
    "wrapping.ndjson": lambda: b"".join(orjson.dumps({"path": "x", "xml": text.decode()}) + b"\n" for text in XML),
    "wrapping.json": lambda: orjson.dumps([{"path": "x", "xml": text.decode()} for text in XML], option=orjson.OPT_INDENT_2),
    "events.jsonl": lambda: b"\n".join(BY_NAME["nxlog-json"].encode_event(event) for event in EVENTS),
    "array.json": lambda: b"[\n" + b",\n".join(BY_NAME["winlogbeat-json"].encode_event(event) for event in EVENTS) + b"\n]\n",
    "printed.json": lambda: orjson.dumps([orjson.loads(BY_NAME["winlogbeat-json"].encode_event(event)) for event in EVENTS], option=orjson.OPT_INDENT_2),
    "lines.log": lambda: b"\n".join(syslog(EVENTS, "event-xml")) + b"\n",
    "counted.syslog": lambda: b"".join(b"%d %b" % (len(message), message) for message in syslog(EVENTS, "flat-json")),
    "multi-line.txt": lambda: b"\n".join(syslog(EVENTS, "splunk-classic")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_yields_every_event(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(WRITERS[name]())
    records, summary, lines = replay(tmp_path)
    assert lines == []
    assert summary.normalized == WANTED
    assert (summary.received, summary.filtered, summary.rejected.total()) == (len(EVENTS), NOISE, 0)
    for record in records:
        check(record)


@pytest.mark.parametrize("name", WRITERS)
def test_content_decides_before_the_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "export.dat").write_bytes(WRITERS[name]())
    _, summary, _ = replay(tmp_path / "export.dat")
    assert summary.normalized == WANTED


@pytest.mark.parametrize("name", WRITERS)
@one_in(4)
@given(cut=st.integers(0, 10**6), flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8))
def test_broken_files_only_lose(name: str, cut: int, flips: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    octets = bytearray(SOURCES[name])
    for at, octet in flips:
        octets[at % len(octets)] = octet
    path = tmp_path_factory.getbasetemp() / f"broken-{name}"
    path.write_bytes(octets[: cut % len(octets)])
    replay(path)


SOURCES = {name: writer() for name, writer in WRITERS.items()}


def test_engines_agree(tmp_path: Path) -> None:
    for name, octets in SOURCES.items():
        (tmp_path / name).write_bytes(octets)
    native, reference = replay(tmp_path, engine=Engine.NATIVE), replay(tmp_path, engine=Engine.REFERENCE)
    assert native == reference


# -- what it must show


def test_counts_are_those_of_an_independent_parser(tmp_path: Path) -> None:
    path = tmp_path / "own.evtx"
    path.write_bytes(SOURCES["own.evtx"])
    _, summary, _ = replay(path, normalizer=ALL)
    assert summary.normalized == Counter(event.event_id for event in set(read_with_oracle(path)))


def test_running_twice_gives_the_same_uids(tmp_path: Path) -> None:
    (tmp_path / "own.evtx").write_bytes(SOURCES["own.evtx"])
    first, second = replay(tmp_path)[0], replay(tmp_path)[0]
    assert first == second


def test_no_value_of_the_event_is_lost(tmp_path: Path) -> None:
    (tmp_path / "own.evtx").write_bytes(SOURCES["own.evtx"])
    texts = [orjson.dumps(record).decode().lower() for record in replay(tmp_path, normalizer=ALL)[0]]
    for event, text in zip(EVENTS, texts, strict=True):
        for name, value in event.data:
            for word in value.replace("\\\\", "").split():
                if len(word) > 3 and not word.startswith(("%%", "0x", "S-1-0-0", "{")) and name not in ("MemberName", "ServiceType", "StartType"):
                    escaped = orjson.dumps(word.strip('"')).decode()[1:-1].lower()
                    assert escaped in text or escaped.rsplit("\\\\", 1)[-1] in text, (event.event_id, name, value)


# -- duplicates


def test_strong_uid_is_written_once_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.evtx").write_bytes(SOURCES["own.evtx"])
    (tmp_path / "b.xml").write_bytes(SOURCES["wrapped.xml"])
    records, summary, _ = replay(tmp_path)
    assert (summary.normalized, summary.duplicate, summary.filtered.total()) == (WANTED, WANTED, 2 * NOISE.total())
    assert len({record["metadata"]["uid"] for record in records}) == len(records)


def test_weak_uids_are_never_collapsed(tmp_path: Path) -> None:
    spray = syslog([event for event in EVENTS if event.event_id == "4776"][:1] * 5, "rsa")
    (tmp_path / "spray.log").write_bytes(b"".join(b"%d %b" % (len(message), message) for message in spray))
    _, summary, _ = replay(tmp_path)
    assert (summary.normalized.total(), summary.duplicate.total()) == (5, 0)


# -- bad input


@pytest.mark.parametrize("rule", DAMAGES)
def test_damaged_log_yields_its_rest_and_one_line(rule: str, tmp_path: Path) -> None:
    (tmp_path / "broken.evtx").write_bytes(DAMAGES[rule](SOURCES["own.evtx"]))
    records, summary, lines = replay(tmp_path, normalizer=ALL)
    assert any(rule in line for line in lines)
    assert len(lines) == summary.damages.total()
    assert 0 < len(records) <= len(EVENTS)
    assert not summary.failed


def test_unknown_binary_is_named_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\x7fELF\x00\x01" * 1000)
    (tmp_path / "b.evtx").write_bytes(SOURCES["own.evtx"])
    _, summary, [line] = replay(tmp_path)
    assert str(tmp_path / "a.bin") in line
    assert (summary.files, summary.skipped, summary.failed) == (1, 1, False)


@pytest.mark.parametrize(
    ("name", "head", "said"),
    [
        ("a.xml.gz", b"\x1f\x8b\x08\x00", "gzip"),
        ("a.evtx", b"PK\x03\x04\x14\x00", "ZIP"),
        ("a.log", b"BZh91AY&SY", "bzip2"),
        ("a.evt", b"\x30\x00\x00\x00LfLe\x01", ".evt"),
    ],
)
def test_packed_file_is_passed_over_and_what_to_do_is_said(name: str, head: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(head + bytes(100))
    for path in (tmp_path, tmp_path / name):
        _, summary, [line] = replay(path)
        assert said in line
        assert (summary.files, summary.skipped, summary.failed) == (0, 1, True)


def test_prose_in_a_folder_is_passed_over_and_by_name_rejected(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Evidence\n\nTaken from the domain controller.\n")
    assert replay(tmp_path)[1].skipped == 1
    assert replay(tmp_path / "README.md")[1].rejected.total() > 0


def test_event_beyond_the_limit_is_rejected_by_name(tmp_path: Path) -> None:
    long = XML[0].replace(b"</EventData>", b"<Data Name='x'>" + b"a" * 300_000 + b"</Data></EventData>")
    (tmp_path / "long.xml").write_bytes(long + XML[0])
    _, summary, _ = replay(tmp_path)
    assert (summary.received, summary.rejected) == (2, Counter({"event-too-large": 1}))


def test_octet_count_that_lies_ends_the_file_with_a_line(tmp_path: Path) -> None:
    counted = SOURCES["counted.syslog"]
    (tmp_path / "counted.syslog").write_bytes(counted[:5000] + b"x" + counted[5000:])
    _, summary, lines = replay(tmp_path)
    assert len(lines) == 1
    assert 0 < summary.normalized.total() < WANTED.total()


def test_octets_between_events_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(XML[0] + b"garbage" + XML[1])
    _, summary, lines = replay(tmp_path)
    assert (summary.damages, len(lines), summary.received) == (Counter({"stray-octets": 1}), 1, 2)


@pytest.mark.parametrize(
    ("files", "failed"),
    [
        pytest.param({}, True, id="nothing at all"),
        pytest.param({"a.bin": b"\x00\x01\x02\x03"}, True, id="nothing known"),
        pytest.param({"a.evtx": b"ElfFile\x00cut"}, True, id="nothing readable"),
        pytest.param({"a.log": b"<13>1 - - - - - - nonsense\n"}, True, id="nothing understood"),
        pytest.param({"a.evtx": write_evtx([])}, False, id="a log without events is read"),
        pytest.param({"a.evtx": write_evtx([event for event in EVENTS if event.event_id not in REQUIRED_IDS])}, False, id="nothing wanted"),
        pytest.param({"a.xml": XML[0], "b.bin": b"\x00\x01\x02"}, False, id="something"),
    ],
)
def test_failed_means_nothing_could_be_read(files: dict[str, bytes], failed: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a table's column
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    assert replay(tmp_path)[1].failed is failed


# -- finding files


def test_folder_means_every_file_below_it_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b/z.xml", "b/a.xml", "a.xml", ".hidden.xml", ".git/x.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"<Events/>")
    (tmp_path / "b" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b" / "link.xml").symlink_to(tmp_path / "a.xml")
    (tmp_path / "c.xml").symlink_to(tmp_path / "gone.xml")
    os.mkfifo(tmp_path / "d.xml")
    found = list(find_files([tmp_path, tmp_path / "a.xml"]))
    assert [item.path.relative_to(tmp_path).as_posix() for item in found if isinstance(item, Found)] == ["a.xml", "b/a.xml", "b/z.xml"]
    assert [item.path.name for item in found if isinstance(item, Unreadable)] == ["c.xml"]


@pytest.mark.parametrize(
    ("head", "name", "named", "kind"),
    [
        (b"ElfFile\x00", "x", False, Kind.EVTX),
        (bytes(4096) + b"ElfChnk\x00", "x", False, Kind.EVTX),
        (b"\x01\x02\x00", "broken.EVTX", False, Kind.EVTX),
        (b"  <Event xmlns='x'>", "x", False, Kind.XML),
        (b"<e:Events>", "x.txt", False, Kind.XML),
        (b"<EventLog>", "x.xml", False, Kind.UNKNOWN),
        (b"<134>1 - - - - - - x", "x", False, Kind.LINES),
        (b"May  6 07:08:09 dc01 CEF:0|", "x", False, Kind.LINES),
        (b"94 <134>1 - - - - - - x", "x", False, Kind.LINES),
        (b'{"EventID": 1}', "x.txt", False, Kind.LINES),
        (b'[ {"EventID": 1}]', "x", False, Kind.ARRAY),
        (b"", "x.xml", False, Kind.XML),
        (b"hello", "x.txt", False, Kind.UNKNOWN),
        (b"hello", "x.txt", True, Kind.LINES),
        (b"\x00\x01", "x.log", True, Kind.UNKNOWN),
        ("<Events>".encode("utf-16"), "x", False, Kind.XML),
    ],
)
def test_kind_of_a_file(head: bytes, name: str, named: bool, kind: Kind) -> None:  # noqa: FBT001 - a table's column
    assert sniff(head[:SNIFFED], name, named=named)[0] is kind


@given(st.binary(max_size=300), st.booleans())
def test_any_head_has_a_kind(head: bytes, named: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
    kind, encoding = sniff(head, "x.log", named=named)
    assert bool(encoding) == (kind not in (Kind.EVTX, Kind.UNKNOWN)) or kind is Kind.UNKNOWN


# -- the command


def test_command_writes_a_file_at_once_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.evtx").write_bytes(SOURCES["own.evtx"])
    output = tmp_path / "out.ndjson"
    assert main(["replay", str(tmp_path / "own.evtx"), "--output", str(output)]) == 0
    assert len(output.read_bytes().splitlines()) == WANTED.total()
    assert list(tmp_path.glob(".*")) == []
    summary = capsys.readouterr().err
    assert f"received {len(EVENTS)} = normalized {WANTED.total()} + duplicate 0 + filtered {NOISE.total()} + rejected 0 + control 0" in summary


def test_command_never_writes_over_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, link = tmp_path / "own.evtx", tmp_path / "link"
    log.write_bytes(SOURCES["own.evtx"])
    link.symlink_to(log)
    for paths, output in (([log], log), ([tmp_path], log), ([log], link)):
        assert main(["replay", *map(str, paths), "--output", str(output)]) == 78
        assert "files to be read" in capsys.readouterr().err
    assert log.read_bytes() == SOURCES["own.evtx"]


def test_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "own.evtx").write_bytes(SOURCES["own.evtx"])
    (tmp_path / "link").symlink_to("target")
    assert main(["replay", str(tmp_path / "own.evtx"), "--output", str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert len((tmp_path / "target").read_bytes().splitlines()) == WANTED.total()


def test_ring_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert main(["replay", str(tmp_path / "a"), "--output", str(tmp_path / "b")]) == 78


@pytest.mark.parametrize("link", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_own_descriptor_is_written_to_and_never_replaced(link: str, tmp_path: Path) -> None:
    (tmp_path / "own.evtx").write_bytes(SOURCES["own.evtx"])
    (tmp_path / "name").symlink_to(link)  # not the real one: what would be replaced is ours
    with (tmp_path / "out").open("ab") as out:
        out.write(b"before\n")
        out.flush()
        command = [sys.executable, "-m", "gateway", "replay", str(tmp_path / "own.evtx"), "--output", str(tmp_path / "name")]
        assert subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2], check=False).returncode == 0
    assert (tmp_path / "name").is_symlink()
    assert len((tmp_path / "out").read_bytes().splitlines()) == 1 + WANTED.total()


def test_terminated_run_leaves_nothing_half_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless")
    command = [sys.executable, "-m", "gateway", "replay", str(tmp_path / "endless"), "--output", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        with (tmp_path / "endless").open("wb"):  # returns once the replay reads from it, its draft being there
            assert list(tmp_path.glob(".out.*"))
            process.terminate()
            assert process.wait() == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize(("closing", "code", "said"), [("<&-", 1, "standard input is closed"), (">&-", 78, "standard output: is closed"), ("2>&-", 0, "")])
def test_closed_standard_stream_is_no_traceback(closing: str, code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "own.evtx").write_bytes(SOURCES["own.evtx"])
    path = "-" if closing == "<&-" else str(tmp_path / "own.evtx")
    command = ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-m", "gateway", "replay", path]
    run = subprocess.run(command, capture_output=True, cwd=Path(__file__).parents[2], check=False)
    assert run.returncode == code
    assert said in run.stderr.decode()
    assert b"Traceback" not in run.stderr
    assert len(run.stdout.splitlines()) == (WANTED.total() if closing == "2>&-" else 0)


def test_command_keeps_all_and_summarizes_as_json(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "own.evtx").write_bytes(SOURCES["own.evtx"])
    assert main(["replay", str(tmp_path), "--keep", "all", "--json"]) == 0
    captured = capfdbinary.readouterr()
    summary = orjson.loads(captured.err)
    assert summary["normalized"] == dict(WANTED + NOISE)
    assert summary["reconciled"] is True
    assert len(captured.out.splitlines()) == len(EVENTS)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["/nonexistent"], 1),
        ([], 2),
        (["/nonexistent", "--engine", "other"], 2),
        (["/nonexistent", "--profile", "none-such"], 78),
        (["/nonexistent", "--output", "/nonexistent/out"], 78),
        (["/nonexistent", "--output", "/proc/self/fd/999"], 78),
    ],
)
def test_command_says_what_is_wrong(arguments: list[str], code: int) -> None:
    assert main(["replay", *arguments]) == code


def test_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "many.xml").write_bytes(b"".join(encode_event(event) for event in islice(generate_events(Random(5), lambda: NOW_NS), 3000)))
    command = [sys.executable, "-m", "gateway", "replay", str(tmp_path / "many.xml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read().decode()
        assert process.wait() == 0
    assert "Traceback" not in error
    assert "Exception" not in error


def test_summary_for_a_person_is_short_however_many_kinds_there_are() -> None:
    summary = Summary(filtered=Counter({str(number): 1 for number in range(1000)}), received=1000)
    assert len(render_summary(summary)) < 2000
