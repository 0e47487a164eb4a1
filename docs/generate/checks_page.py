"""docs/reference/checks.md: everything that `tidegate check` looks at and asks, as its tables have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cells import code, plain

from gateway.check.examinations import EXAMINATIONS
from gateway.check.live import CHECK
from gateway.check.prerequisites import Ask, Need, Of, Prerequisite, load_prerequisites
from gateway.check.questions import DESTINATION

HEAD: Final = """\
# Checks

[`tidegate check`](../operate/check.md) looks at all of these; `--json` has the first column as `check`.

## Without asking anybody

| check | right is | error | warning | unknown |
|---|---|---|---|---|
"""

CONNECT: Final = f"""
## With `--connect`

Questions to others, by what sensors need around them. A `no` is what the third column says; where nobody answers in time, so is silence, but to a datagram:
then nothing can be known. Destinations are asked as `{DESTINATION}`: the connection, TLS and its certificate, through their proxy; Status-Server of
a RADIUS server; nothing over UDP else, where nobody answers.

| check | right is | a no is | what to do |
|---|---|---|---|
"""

LOOK: Final = """
## Where somebody has to look

These can't be seen from another machine. `--connect` says `unknown`, and where to look, if `[check]` names whom they are about.

| check | has to be | look |
|---|---|---|
"""

LIVE: Final = f"""
## With `--live`

| check | right is | error | warning | unknown |
|---|---|---|---|---|
| {code(CHECK)} | the gateway of this state directory answers | nobody answers in time | it answers, and isn't ready |  |
"""

WAYS: Final = """
## Who decrypts on the way

A certificate is judged by what it is under. The workspace's has to be under {roots}, and nothing else is believed for it.
Failing that, or where a certificate isn't believed, its issuer's name is compared with those that products give themselves: {products}.
Whoever is believed, isn't named as `ca` and lacks the organization and country of a public authority may be your organization's own, or somebody on the
way: unknown.
"""

WHOM: Final = {
    Of.DOMAIN: "`domain`",
    Of.DOMAIN_CONTROLLERS: "each of `domain_controllers`",
    Of.DNS_SERVERS: "each of `dns_servers`",
    Of.DEVICES: "each of `devices`",
    Of.WORKSPACE: "`workspace`",
    Of.SENSOR: "`sensor`",
    Of.ENDPOINT: "each WEF endpoint",
}


def write_page() -> str:
    """The whole page."""
    known = load_prerequisites()
    parts = [HEAD]
    parts += [f"| {code(one.name)} | {' | '.join(map(_text, (one.passes, one.error, one.warning, one.unknown)))} |\n" for one in EXAMINATIONS]
    parts += [CONNECT, *_rows(row for row in known.prerequisites if row.ask is not Ask.LOOK)]
    parts += [LOOK]
    parts += [f"| {code(row.name)} | {WHOM[row.of]}: {_text(row.passes)} | {_text(row.fix)} |\n" for row in known.prerequisites if row.ask is Ask.LOOK]
    roots = " or ".join(f"{root.name} ({root.cloud})" for root in known.roots)
    parts += [LIVE, WAYS.format(roots=roots, products="; ".join(known.interception))]
    return "".join(parts)


def _rows(rows: Iterator[Prerequisite]) -> Iterator[str]:
    for row in rows:
        asked = f"{row.ask} {row.port}" if row.ask in (Ask.TCP, Ask.UDP) else f"udp {row.port}" if row.ask is Ask.TIME else ""
        way = f" ({', '.join(part for part in (asked, row.service) if part)})" if asked or row.service else ""
        level = "error" if row.need is Need.ALWAYS else "warning"
        yield f"| {code(row.name)} | {WHOM[row.of]}{_text(way)}: {_text(row.passes)} | {level} | {_text(row.fix)} |\n"


def _text(text: str) -> str:
    return plain(text).replace("\\", "&#92;").replace("<", "&lt;").replace("*", "&#42;")
