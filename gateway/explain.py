"""What `tidegate explain` says of a message: what it is, where each field stands in it, what is wrong and who has to change what.

Messages are cut out of a file as the syslog listener cuts them out of a connection (`listeners.syslog.reassembly`), and judged by the
normalizer that the configuration asks for. Nothing is stored, nothing is counted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from gateway.fixes import fix_for
from kernel import Engine
from listeners.radius.serve import NAME as RADIUS_LISTENER
from listeners.syslog.reassembly import Reassembly
from listeners.wef.refusals import Explanation, explanation_of
from normalizers.judgement import Field
from normalizers.normalizer import Normalizer
from pipeline.errors import MessageError
from pipeline.escape import escape_text
from pipeline.model import Origin, Reject, Transport
from pipeline.rejects import Rejected
from wire.event import EventKey
from wire.layouts.layout import Layout
from wire.radius.named import named_attributes
from wire.radius.packet import parse_packet
from wire.syslog_framing import scanner

COUNTED: Final = re.compile(rb"[1-9][0-9]{0,6} <")
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
EXCERPT: Final = (36, 44)
MAX_SHOWN: Final = 100

RADIUS: Final = "radius"
RADIUS_DOCUMENT: Final = "RFC 2866"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A rule that was bent, and what the sender's owner may do about it."""

    rule: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One message explained, or one connection that was refused before it brought any, ready to be shown; its fields are the JSON's.

    sender:   who sent it, how and when; empty for a file.
    octets:   its length.
    header:   which syslog header stood before it.
    format:   the layout's name, and `document` where that is specified; empty where none was recognized.
    rule:     the broken rule with its `offset`, its document `section`, and `detail`; empty unless rejected.
    fix:      what the sender's owner has to change.
    record:   the OCSF record as JSON text; empty unless normalized.
    raw:      the message itself.
    meaning:  of the reason for which a connection was refused; empty for a message.
    """

    sender: str
    octets: int
    verdict: str
    header: str
    format: str
    document: str
    key: EventKey | None
    rule: str
    offset: int
    section: str
    detail: str
    fix: str
    warnings: tuple[Warned, ...]
    fields: tuple[Field, ...]
    record: str
    raw: bytes
    meaning: str = ""


def cut_messages(octets: bytes, max_message: int) -> Iterator[bytes | Reject]:
    """The messages of a file, as the listener would find them; what it would refuse unread comes as a Reject."""
    if octets.startswith(UTF_16):
        octets = octets.decode("utf-16", "replace").encode()
    # a file of lines may begin with a digit (a date); only `MSG-LEN SP <` is octet counting
    stream = octets if COUNTED.match(octets) else b"\n" + octets
    reassembly = Reassembly(scanner(Engine.REFERENCE), max_message)
    for cut in (reassembly.receive(stream), reassembly.end()):
        for start, end in zip(cut.spans[::2], cut.spans[1::2], strict=True):
            yield cut.buffer[start:end]
        yield from cut.rejects


def account_for(normalizer: Normalizer, found: bytes | Reject, origin: Origin, sender: str = "") -> Account:
    """Explain one message; a Reject's own rule counts, whatever the normalizer thinks of its octets."""
    raw = found.raw if isinstance(found, Reject) else found
    explanation = normalizer.explain(raw, origin)
    judgement = explanation.judgement
    layout = judgement.layout.name if judgement.layout else ""
    refused = found if isinstance(found, Reject) else None
    rule = refused.rule if refused else judgement.rule
    return Account(
        sender=sender,
        octets=len(raw),
        verdict="rejected" if refused else judgement.verdict.value,
        header=judgement.header.format.value,
        format=layout,
        document=_document(judgement.layout),
        key=judgement.key,
        rule=rule,
        offset=refused.offset if refused else judgement.offset,
        section=judgement.document if rule == judgement.rule and judgement.document != _document(judgement.layout) else "",
        detail=refused.detail if refused else judgement.detail,
        fix=fix_for(rule, layout) if rule else "",
        warnings=tuple(Warned(rule=warning, fix=fix_for(warning, layout)) for warning in judgement.warnings),
        fields=explanation.fields,
        record="" if refused else explanation.record.decode(),
        raw=raw,
    )


def _document(layout: Layout | None) -> str:
    return layout.document if layout else ""


def render_json(accounts: Sequence[Account]) -> str:
    """A JSON array; `raw` in base64, since it may be any octets."""

    def plain(account: Account) -> dict[str, object]:
        return {
            **{name: getattr(account, name) for name in Account.__dataclass_fields__ if name not in ("raw", "record", "key")},
            "key": account.key._asdict() if account.key else None,
            "record": orjson.loads(account.record) if account.record else None,
            "raw": base64.b64encode(account.raw).decode(),
        }

    return orjson.dumps([plain(account) for account in accounts], option=orjson.OPT_INDENT_2).decode() + "\n"


VERDICT_COLOURS: Final = {"normalized": "32", "filtered": "36", "control": "36", "rejected": "31", "refused": "31"}


def render_text(accounts: Sequence[Account], *, colour: bool) -> str:
    """For a person; colour for a terminal alone."""
    return "\n".join("".join(f"{line}\n" for line in _lines(number, len(accounts), account, colour=colour)) for number, account in enumerate(accounts, 1))


def _lines(number: int, total: int, account: Account, *, colour: bool) -> Iterator[str]:
    def tint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour else text

    if account.meaning:
        yield tint(f"connection{f' {number} of {total}' if total > 1 else ''} from {escape_text(account.sender)}", "1")
        yield f"  refused  {tint(account.rule, '31')}: {account.meaning}"
        if account.detail:
            yield f"  detail   {escape_text(account.detail)}"
        yield f"  fix      {account.fix or 'none is known'}"
        return
    count = f"message {number} of {total}" if total > 1 else "message"
    yield tint(f"{count}, {account.octets} octets{f' from {escape_text(account.sender)}' if account.sender else ''}", "1")
    yield f"  verdict  {tint(account.verdict, VERDICT_COLOURS[account.verdict])}"
    yield f"  header   {account.header}"
    yield f"  format   {f'{account.format} ({account.document})' if account.format else 'none that is known'}"
    if account.key:
        whose = f"{account.key.provider or 'a provider it does not say'} in {account.key.channel or 'a channel it does not say'}"
        yield f"  event    {escape_text(f'{account.key.event_id} of {whose}')}"
    if account.rule:
        where = f"at octet {account.offset}, {account.section}" if account.section else f"at octet {account.offset}"
        yield f"  rule     {tint(escape_text(account.rule), '31')} {where}{f': {escape_text(account.detail)}' if account.detail else ''}"
        if account.format != RADIUS:  # whose octets are no text
            yield from (f"           {line}" for line in _excerpt(account.raw, account.offset))
        yield f"  fix      {account.fix or 'none is known'}"
    for warned in account.warnings:
        yield f"  warning  {tint(escape_text(warned.rule), '33')}{f': {warned.fix}' if warned.fix else ''}"
    if account.fields:
        width = max(len(field.name) for field in account.fields)
        yield f"  fields   {'octets':>12}  name"
        yield from (f"           {_octets(field):>12}  {escape_text(field.name):{width}}  {_shown(field.text)}" for field in account.fields)
    if account.record:
        yield f"  record   {escape_text(account.record)}"


def _octets(field: Field) -> str:
    return f"{field.start}-{field.end}" if field.start >= 0 else "can't tell"


def _shown(text: str) -> str:
    return escape_text(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text)} characters)")


def _excerpt(raw: bytes, offset: int) -> Iterator[str]:
    """The octets around the offset, and a mark below it."""
    before, after = EXCERPT
    start = max(0, offset - before)
    ahead, behind = (escape_text(part.decode("utf-8", "backslashreplace")) for part in (raw[start:offset], raw[offset : offset + after]))
    if ahead or behind:
        yield f"{ahead}{behind}"
        yield f"{' ' * len(ahead)}^"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMessage:
    """A rejected message, or refused connection, on its way over the control socket: `raw` in base64, `identity` who was authenticated."""

    listener: str
    transport: str
    peer: str
    received_at_ns: int
    rule: str
    offset: int
    detail: str
    raw: str
    identity: str | None = None


def write_rejected(rejected: Rejected) -> RefusedMessage:
    """What the control socket says of one reject."""
    origin, reject = rejected.origin, rejected.reject
    return RefusedMessage(
        listener=origin.listener,
        transport=origin.transport.value,
        peer=origin.peer,
        received_at_ns=origin.received_at_ns,
        rule=reject.rule,
        offset=reject.offset,
        detail=reject.detail,
        raw=base64.b64encode(reject.raw).decode(),
        identity=origin.identity,
    )


def account_for_refused(normalizer: Normalizer, refused: RefusedMessage) -> Account:
    """Explain a message that the running gateway rejected, or a connection that it refused."""
    at = datetime.fromtimestamp(refused.received_at_ns / 1e9, UTC)
    who = f"{refused.identity} at {refused.peer}" if refused.identity else refused.peer
    sender = f"{who} over {refused.transport} at {at:%Y-%m-%d %H:%M:%S} UTC"
    explanation = explanation_of(refused.rule)
    if explanation is not None:
        return _account_for_connection(refused, explanation, sender)
    origin = Origin(refused.listener, Transport(refused.transport), refused.peer, refused.received_at_ns, refused.identity)
    reject = Reject(base64.b64decode(refused.raw), refused.rule, refused.offset, refused.detail)
    if refused.listener == RADIUS_LISTENER:
        return _account_for_packet(reject, sender)
    return account_for(normalizer, reject, origin, sender)


def _account_for_packet(reject: Reject, sender: str) -> Account:
    return Account(
        sender=sender,
        octets=len(reject.raw),
        verdict="rejected",
        header="none",
        format=RADIUS,
        document=RADIUS_DOCUMENT,
        key=None,
        rule=reject.rule,
        offset=reject.offset,
        section="",
        detail=reject.detail,
        fix=fix_for(reject.rule, RADIUS),
        warnings=(),
        fields=tuple(Field(name, text) for name, text in _attributes(reject.raw)),
        record="",
        raw=reject.raw,
    )


def _attributes(datagram: bytes) -> tuple[tuple[str, str], ...]:
    try:
        return named_attributes(parse_packet(datagram))
    except MessageError:
        return ()


def _account_for_connection(refused: RefusedMessage, explanation: Explanation, sender: str) -> Account:
    return Account(
        sender=sender,
        octets=0,
        verdict="refused",
        header="",
        format="",
        document="",
        key=None,
        rule=refused.rule,
        offset=0,
        section="",
        detail=refused.detail,
        fix=explanation.fix,
        warnings=(),
        fields=(),
        record="",
        raw=b"",
        meaning=explanation.meaning,
    )
