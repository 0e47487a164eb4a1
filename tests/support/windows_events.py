"""Strategies of Windows events that a layout should be able to carry, and of bytes that no layout should choke on."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso
from wire.keywords import AUDIT_FAILURE, AUDIT_SUCCESS
from wire.message_texts import MESSAGE_TEXTS

WORDS = st.text(string.ascii_letters + string.digits + "$._\\@äß", min_size=1, max_size=12)
"""Values without white space or colons: no text made of them can look like a label."""

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
"""Values of any characters but lone surrogates."""

NAMES = st.from_regex(r"[A-Z][a-z]{1,6}(?:[A-Z][a-z]{1,6}){0,2}", fullmatch=True).filter(lambda name: name != "Data")

TIMES = st.integers(min_value=946_684_800 * 10**7, max_value=4_102_444_800 * 10**7).map(lambda ticks: EventTime(ticks * 100, format_iso(ticks * 100), 7))
"""2000 to 2100, in the 100 ns that Windows keeps."""

IDS = st.integers(1, 2**31).map(str)


def labelled_names(event_id: str) -> tuple[str, ...]:
    """The EventData names that an event's rendered text has labels for, optional ones left out."""
    return tuple(label.name for section in MESSAGE_TEXTS[event_id].sections for label in section.labels if not label.optional)


@st.composite
def required_events(draw: st.DrawFn, values: st.SearchStrategy[str] = WORDS) -> WindowsEvent:
    """An event with a rendered text: the fifteen, every label with a value, and a whole envelope."""
    event_id = draw(st.sampled_from(sorted(MESSAGE_TEXTS)))
    return _event(draw, event_id, tuple((name, draw(values)) for name in labelled_names(event_id)), draw(st.sampled_from(MESSAGE_TEXTS[event_id].providers)))


@st.composite
def any_events(draw: st.DrawFn, values: st.SearchStrategy[str] = ANY_TEXT) -> WindowsEvent:
    """Any event: names may repeat, values hold anything."""
    data = draw(st.lists(st.tuples(NAMES, values), max_size=6))
    return _event(draw, draw(st.integers(0, 65535).map(str)), tuple(data), draw(WORDS))


def _event(draw: st.DrawFn, event_id: str, data: tuple[tuple[str, str], ...], provider: str) -> WindowsEvent:
    time = draw(TIMES)
    return WindowsEvent(
        event_id=event_id,
        channel=draw(st.sampled_from(["Security", "System", "Microsoft-Windows-NTLM/Operational"])),
        provider=provider,
        computer=draw(WORDS),
        time=time,
        time_text=time.text,
        record_id=draw(IDS),
        version=draw(st.sampled_from(["0", "1", "2"])),
        level=draw(st.sampled_from(["0", "2", "3", "4"])),
        task=draw(IDS),
        opcode="0",
        keywords=draw(st.sampled_from([AUDIT_SUCCESS, AUDIT_FAILURE, "0x8080000000000000"])),
        provider_guid="{54849625-5478-4994-a5ba-3e3b0328c30d}",
        activity_id="{e0f7bc1b-4488-0000-8d57-1f92808ad601}",
        process_id=draw(IDS),
        thread_id=draw(IDS),
        user_sid="S-1-5-18",
        user_name=draw(WORDS.filter(lambda word: "\\" not in word)),
        user_domain=draw(WORDS.filter(lambda word: "\\" not in word)),
        data=data,
    )


@st.composite
def mutated(draw: st.DrawFn, messages: st.SearchStrategy[bytes]) -> bytes:
    """A message with octets cut out, doubled or replaced."""
    message = draw(messages)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(message)))
        end = min(len(message), start + draw(st.integers(0, 12)))
        message = (
            message[:start]
            + draw(st.sampled_from([b"", message[start:end] * 2, b"\x00", b"\n", b"|", b"=", b'"', b"{", b"\xff", b"\t", b"\\"]))
            + message[end:]
        )
    return message
