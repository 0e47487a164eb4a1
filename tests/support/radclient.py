"""radclient, FreeRADIUS' own RADIUS client, as a NAS: attributes by name in, and what became of each packet out.

    heard = radclient(("127.0.0.1", 1813), "a long shared secret", [[("Acct-Status-Type", "Start"), ("Acct-Session-Id", "S1"), ("User-Name", "ana")]])
    assert heard.answered == 1

Values are quoted here; octets are written `0x...`. `Message-Authenticator` of `0x00` makes radclient compute the right one.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from support import peers

Attributes = Sequence[tuple[str, str]]
"""Name and value of each, in packet order; an integer, address or name of a value goes as it is."""

SUMMARY: Final = re.compile(r"(?m)^\s+(Accepted|Lost|Passed filter|Failed filter)\s*: ([0-9]+)")
SENT: Final = re.compile(r"Sent Accounting-Request Id ([0-9]+) from \S+:([0-9]+) to ")
RECEIVED: Final = re.compile(r"Received Accounting-Response Id ([0-9]+) from \S+ to \S+:([0-9]+) length ")
SESSION: Final = '\tAcct-Session-Id = "'
PLAIN: Final = re.compile(r"0x(?:[0-9a-f]{2})+|[0-9.]+|[0-9a-f:]*:[0-9a-f:]+(?:/[0-9]+)?", re.ASCII | re.IGNORECASE)
TIMEOUT_S: Final = 60
QUOTED: Final = frozenset(
    {"User-Name", "Acct-Session-Id", "Acct-Multi-Session-Id", "Calling-Station-Id", "Called-Station-Id", "NAS-Identifier", "Cisco-AVPair"}
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What radclient says at its end.

    answered:  packets whose answer it could verify with the secret.
    lost:      packets nobody answered.
    sessions:  Acct-Session-Id of every packet answered, in the order of the answers.
    text:      all it printed.
    """

    answered: int
    lost: int
    sessions: tuple[str, ...]
    text: str


def radclient(
    address: tuple[str, int], secret: str, packets: Sequence[Attributes], *, command: str = "acct", tries: int = 1, timeout: float = 5, parallel: int = 1
) -> Heard:
    """Send packets and wait for every answer, or for its timeout.

    Args:
        address: of the server, IPv4 or IPv6.
        secret: to sign with, and to verify answers with.
        packets: the attributes of each.
        command: `acct`, or `status` for Status-Server.
        tries: how often each is sent, at most.
        timeout: seconds until it is sent again, or given up.
        parallel: packets under way at once.
    """
    with TemporaryDirectory() as folder:
        packets_file, secret_file = Path(folder, "packets"), Path(folder, "secret")
        packets_file.write_text(encode_packets(packets))
        secret_file.write_text(secret + "\n")
        peer = peers.radclient()
        host, port = address
        arguments = ["-x", "-s", "-S", str(secret_file), "-f", str(packets_file), "-r", str(tries), "-t", str(timeout), "-p", str(parallel)]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        done = subprocess.run([*peer.command, *arguments, where, command], env=peer.environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    found = dict(SUMMARY.findall(done.stdout))
    if not found:
        raise RuntimeError(f"radclient: {done.stderr or done.stdout}")
    return Heard(int(found["Accepted"]), int(found["Lost"]), tuple(_answered(done.stdout)), done.stdout + done.stderr)


def _answered(text: str) -> Iterator[str]:
    """What -x prints: a packet when it is sent, by identifier and source port with its attributes, and the answer to it by the same."""
    sent: dict[tuple[str, str], str] = {}
    packet = ("", "")
    for line in text.splitlines():
        if found := SENT.match(line):
            packet = (found[1], found[2])
        elif found := RECEIVED.match(line):
            if (found[1], found[2]) in sent:
                yield sent[found[1], found[2]]
        elif line.startswith(SESSION):
            sent[packet] = line.removeprefix(SESSION).removesuffix('"')


def encode_packets(packets: Sequence[Attributes]) -> str:
    """radclient's input: a line per attribute, an empty line between packets."""
    return "\n".join("".join(f"{name} = {encode_value(name, value)}\n" for name, value in attributes) for attributes in packets)


def encode_value(name: str, value: str) -> str:
    """A value as FreeRADIUS reads it: text in quotes, unless it can be nothing but a number, an address, octets or a value's name."""
    if name not in QUOTED and (PLAIN.fullmatch(value) or re.fullmatch(r"[A-Za-z][\w-]*", value, re.ASCII)):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
