"""The receivers: how each peer and Tidegate is configured for the same work, started, and asked how much it has done.

The peers' configurations are the fastest we found that do the work (filter the fifteen events, extract their fields, write JSON):

    rsyslog     octet counting, imptcp, a field compare for the filter, liblognorm for the fields, one ruleset without a queue
    syslog-ng   a PCRE filter on the event ID, then xml() or a key-value parser, format-json, flow control
    FreeRADIUS  accounting alone, rlm_linelog writing one JSON line of 22 fields

They write a file. Tidegate runs whole: headers parsed, OCSF written, every record in the spool at synchronous=FULL, a destination that can't be
reached standing behind it so that nothing is left out of the disk's share; no file.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from metering import Process, running
from support import peers
from workload import SECRET

from gateway.simulate.events import REQUIRED_IDS

START_S: Final = 20.0
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Receiver:
    """One that runs.

    port:    where it listens.
    output:  the file it writes, None for Tidegate.
    done:    how many messages it is done with, as its metrics say; None of peers, which keep a part of their file in memory until they end.
    """

    process: Process
    port: int
    output: Path | None
    done: Callable[[], int] | None


Start = Callable[[Path], Iterator[Receiver]]


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def count_lines(path: Path) -> int:
    """Lines in a file that may not be there yet."""
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except FileNotFoundError:
        return 0


# rsyslog

RSYSLOG: Final = Template("""
global(maxMessageSize="64k" workDirectory="$folder" parser.escapeControlCharactersOnReceive="off")
module(load="$module" $options)
module(load="mmnormalize")
main_queue(queue.type="Direct")
template(name="json" type="string" string="%$$!all-json%\\n")
ruleset(name="identity" $queue) {
  set $$.id = field($$msg, "EventID", 2);
  if ($$.id == [$ids]) then {
    action(type="mmnormalize" rulebase="$folder/events.rulebase" useRawMsg="off")
    action(type="omfile" file="$folder/output" template="json" ioBufferSize="256k" flushOnTXEnd="off")
  }
  stop
}
input(type="$module" port="$port" address="127.0.0.1" ruleset="identity" $input)
""")
QUEUE: Final = 'queue.type="FixedArray" queue.size="200000" queue.workerThreads="1" queue.dequeueBatchSize="1024"'
DATA: Final = """%data:repeat{"parser":[{"type":"char-to","name":"n","extradata":"'"},{"type":"literal","text":"'>"},{"type":"char-to","name":"v",\
"extradata":"<"},{"type":"literal","text":"</Data>"}],"while":{"type":"literal","text":"<Data Name='"}}%"""
SYSTEM: Final = """%-:string-to:SystemTime='%SystemTime='%time:char-to:'%'%-:string-to:<EventRecordID>%<EventRecordID>%record_id:char-to:<%\
%-:string-to:<Channel>%<Channel>%channel:char-to:<%</Channel><Computer>%computer:char-to:<%%-:string-to:<EventData>%<EventData><Data Name='"""
PROVIDER: Final = "%-:string-to:Provider Name='%Provider Name='%provider:char-to:'%'%-:string-to:<EventID%"
RULEBASE: Final = "version=2\n" + "".join(
    f"rule=:{PROVIDER}{event_id}%event_id:char-to:<%<{SYSTEM}{DATA}</EventData>%-:rest%\n" for event_id in ("<EventID>", "<EventID Qualifiers='%-:char-to:'%'>")
)
"""liblognorm's rules for the events of the workload, one for each way its EventID is written."""


@contextmanager
def rsyslog(folder: Path, *, udp: bool = False) -> Iterator[Receiver]:
    """Rsyslog over octet-counted TCP, or over UDP with a queue and a worker."""
    port = free_port(socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    ids = ",".join(f'">{event_id}</"' for event_id in sorted(REQUIRED_IDS)) + "," + "\" Qualifiers='16384'>7045</\""
    (folder / "events.rulebase").write_text(RULEBASE)
    configuration = RSYSLOG.substitute(
        folder=folder,
        module="imudp" if udp else "imptcp",
        options='batchSize="256" threads="1" timeRequery="8"' if udp else 'threads="2"',
        queue=QUEUE if udp else "",
        input='rcvbufSize="16m"' if udp else "",
        ids=ids,
        port=port,
    )
    (folder / "conf").write_text(configuration)
    peer = peers.rsyslogd()
    with running((*peer.command, "-n", "-f", str(folder / "conf"), "-i", str(folder / "pid")), peer.environment, folder) as process:
        _await_socket(process, port, udp=udp)
        yield Receiver(process, port, folder / "output", None)


# syslog-ng

SYSLOG_NG: Final = Template("""
@version: 3.38
options { threaded(yes); time-reopen(10); chain-hostnames(no); keep-hostname(yes); use-dns(no); dns-cache(no); stats-freq(0); log-msg-size(65536); };
source s { $source };
destination d { file("$folder/output" template("$$(format-json --key event.*)\\n") log-fifo-size(200000) flush-lines(1000)); };
log { source(s); filter { match('$pattern' value("MESSAGE") type(pcre)); }; $parse destination(d); flags(flow-control); };
""")
COUNTED: Final = "syslog(ip(127.0.0.1) port({port}) transport(tcp) flags(no-multi-line) max-connections(20) log-iw-size(40000) log-fetch-limit(2000));"
LINES: Final = (
    "network(ip(127.0.0.1) port({port}) transport(tcp) flags(syslog-protocol,no-multi-line) max-connections(20) log-iw-size(40000) log-fetch-limit(2000));"
)
PARSE_XML: Final = 'parser { xml(prefix("event.") drop-invalid(no)); };'
PARSE_CEF: Final = """parser { csv-parser(columns("event.v","event.vendor","event.product","event.version","event.id","event.name","event.severity","extension")
  delimiters("|") flags(greedy)); }; parser { kv-parser(prefix("event.") template("$${extension}")); };"""


@contextmanager
def syslog_ng(folder: Path, *, cef: bool = False) -> Iterator[Receiver]:
    """syslog-ng over octet-counted TCP with event XML, or over lines with CEF."""
    port, ids = free_port(), "|".join(sorted(REQUIRED_IDS))
    configuration = SYSLOG_NG.substitute(
        source=(LINES if cef else COUNTED).format(port=port),
        folder=folder,
        pattern=rf"^CEF:[^|]*\|[^|]*\|[^|]*\|[^|]*\|[^|]*:(?:{ids})\|" if cef else rf"<EventID[^>]*>(?:{ids})</EventID>",
        parse=(PARSE_CEF if cef else PARSE_XML).replace("$$", "$"),
    )
    (folder / "conf").write_text(configuration)
    modules = next(peers.ROOT.glob("usr/lib/syslog-ng/*/libafsocket.so")).parent
    command = (str(peers.ROOT / "usr/sbin/syslog-ng"), "-F", "-f", str(folder / "conf"), "-R", str(folder / "persist"), "-c", str(folder / "ctl"))
    arguments = ("--pidfile", str(folder / "pid"), "--no-caps", "--module-path", str(modules))
    with running((*command, *arguments), peers.unpacked_environment(), folder) as process:
        _await_socket(process, port)
        yield Receiver(process, port, folder / "output", None)


# FreeRADIUS

FREERADIUS: Final = Template("""
prefix = /usr
name = radiusd
logdir = $folder
run_dir = $folder
libdir = $modules
max_request_time = 30
cleanup_delay = 0
max_requests = 65536
hostname_lookups = no
log { destination = files
 file = $folder/log
 auth = no }
security { allow_vulnerable_openssl = yes
 max_attributes = 200
 reject_delay = 0
 status_server = no }
thread pool { start_servers = 2
 max_servers = 8
 min_spare_servers = 2
 max_spare_servers = 8
 max_requests_per_server = 0
 max_queue_size = 65536
 auto_limit_acct = no }
client sender { ipaddr = 127.0.0.1
 secret = $secret }
modules { linelog json { filename = "$folder/output"
 escape_filenames = no
 format = "{$fields}" }
}
server default {
 listen { type = acct
  ipaddr = 127.0.0.1
  port = $port }
 preacct { }
 accounting {
  json
 }
}
""")
FIELDS: Final = (
    "User-Name NAS-IP-Address NAS-Port Service-Type Framed-Protocol Framed-IP-Address Class Called-Station-Id Calling-Station-Id NAS-Identifier "
    "Acct-Status-Type Acct-Delay-Time Acct-Input-Octets Acct-Output-Octets Acct-Session-Id Acct-Authentic Acct-Session-Time Acct-Input-Packets "
    "Acct-Output-Packets Acct-Multi-Session-Id Event-Timestamp NAS-Port-Type"
)


@contextmanager
def freeradius(folder: Path) -> Iterator[Receiver]:
    """FreeRADIUS, one JSON line a request."""
    port = free_port(socket.SOCK_DGRAM)
    fields = ",".join(f'\\"{name}\\":\\"%{{{name}}}\\"' for name in FIELDS.split())
    configuration = FREERADIUS.substitute(folder=folder, modules=peers.freeradius_modules(), secret=SECRET.decode(), fields=fields, port=port)
    (folder / "radiusd.conf").write_text(configuration)
    (folder / "radiusd.conf").chmod(0o600)
    peer = peers.freeradius()
    with running((*peer.command, "-d", str(folder), "-f", "-l", str(folder / "log")), peer.environment, folder) as process:
        _await_socket(process, port, udp=True)
        yield Receiver(process, port, folder / "output", None)


# Tidegate

TIDEGATE: Final = Template("""
[gateway]
state_dir = "$folder/state"
$listener
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "unreachable"
kind = "sensor"
layout = "splunk"
address = "tcp://127.0.0.1:$closed"
start = "beginning"
""")
CLIENT: Final = '[[listeners.radius.clients]]\nname = "sender"\ncidr = "127.0.0.0/8"\nsecret = "env:BENCH_SECRET"\n'
LISTENERS: Final[Mapping[str, str]] = {
    "listeners.syslog tcp": '[listeners.syslog]\ntcp = ["127.0.0.1:0"]\n',
    "listeners.syslog udp": '[listeners.syslog]\nudp = ["127.0.0.1:0"]\nreceive_buffer = "16 MiB"\n',
    "listeners.radius udp": '[listeners.radius]\naddresses = ["127.0.0.1:0"]\n' + CLIENT,
}


@contextmanager
def tidegate(folder: Path, listener: str, *, engine: str = "native", extra: str = "") -> Iterator[Receiver]:
    """The whole gateway; `listener` is a key of LISTENERS, or the ready line's words with `extra` as its configuration."""
    configuration = TIDEGATE.substitute(folder=folder, listener=LISTENERS.get(listener, extra), closed=free_port())
    (folder / "tidegate.toml").write_text(configuration)
    environment = dict(os.environ) | {"TIDEGATE_ENGINE": engine, "BENCH_SECRET": SECRET.decode()}
    with running(
        (sys.executable, "-m", "gateway", "run", "--config", str(folder / "tidegate.toml")), environment | {"PYTHONPATH": python_path()}, folder
    ) as process:
        port, metrics = _await_ready(process, folder / "stdout", listener), _await_ready(process, folder / "stdout", "metrics http")
        name = listener.split(maxsplit=1)[0]
        yield Receiver(process, port, None, lambda: read_counter(metrics, "tidegate_received_total", name))


def python_path() -> str:
    """Where programs of ours find our packages."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))


def read_counter(port: int, name: str, listener: str) -> int:
    """One counter of a running gateway."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as page:
        found = re.findall(rf'^{name}{{[^}}]*listener="{listener}"[^}}]*}} ([0-9.e+]+)$', page.read().decode(), re.MULTILINE)
    return int(sum(map(float, found)))


def _await_ready(process: Process, stdout: Path, words: str) -> int:
    pattern = re.compile(rf"^ready {words} \S+:(\d+)$", re.MULTILINE)
    found: list[str] = []

    def ready() -> bool:
        found[:] = pattern.findall(stdout.read_text())
        return bool(found)

    process.settle(ready, within_s=START_S)
    return int(found[0])


def _await_socket(process: Process, port: int, *, udp: bool = False) -> None:
    table = Path("/proc/net/udp" if udp else "/proc/net/tcp")
    process.settle(lambda: f":{port:04X} " in table.read_text(), within_s=START_S)
