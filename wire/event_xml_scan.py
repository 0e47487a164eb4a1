"""Event XML: finding an event's key without parsing the event ([MS-EVEN6] section 2.2.14).

The scan rule, which every engine implements and `docs/mapping.md` explains:

    1. the event starts at the first `<Event` that white space, `>` or `/` follows; 4,096 octets from there are looked at, no more;
    2. in them, System is what stands between the first `<System>` and the first `</System>` behind it, or the window's end;
    3. the key is the Name of its first Provider, the text of its first EventID (low 16 bits) and the text of its first Channel;
    4. well-formedness isn't judged: what follows Channel may be anything.

The scan answers only where reading can't come to another answer; None says "parse it": no such element, a prefix, attributes on System or Channel,
a comment, CDATA section or reference within the three, UTF-16, anything but ASCII in them, or a window that ends before all three are found.
"""

from __future__ import annotations

import re
from typing import Final

from wire.event import EventKey

WINDOW: Final = 4096

_WS = rb"[ \t\r\n]"
_ATTRIBUTE = rb"%(ws)s+([A-Za-z_][A-Za-z0-9_.:-]*)%(ws)s*=%(ws)s*(?:\"([^\"<&]*)\"|'([^'<&]*)')" % {b"ws": _WS}
_ATTRIBUTES = rb"((?:%(ws)s+[A-Za-z_][A-Za-z0-9_.:-]*%(ws)s*=%(ws)s*(?:\"[^\"<&]*\"|'[^'<&]*'))*)%(ws)s*" % {b"ws": _WS}

_EVENT: Final = re.compile(rb"<Event(?=[ \t\r\n/>])")
_SYSTEM: Final = b"<System>"
_PROVIDER: Final = re.compile(rb"<Provider(?=[ \t\r\n/>])(?:" + _ATTRIBUTES + rb"/?>)?")
_EVENT_ID: Final = re.compile(rb"<EventID(?=[ \t\r\n/>])(?:" + _ATTRIBUTES + rb">[ \t\r\n]*([0-9]{1,10})[ \t\r\n]*</EventID>)?")
_CHANNEL: Final = re.compile(rb"<Channel(?=[ \t\r\n/>])(?:>([^<&]*)</Channel>)?")
_NAMED: Final = re.compile(_ATTRIBUTE)
_PROLOG: Final = re.compile(rb"[\xef\xbb\xbf \t\r\n\x00]*<(?:\?xml|Event|[A-Za-z_][A-Za-z0-9_.-]*:Event)")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")


def scan_event_key(message: bytes) -> EventKey | None:
    """The key of the first event in a message, by the scan rule; None where only parsing can tell.

    Never raises; reads at most 4,096 octets from the event's start.
    """
    start = _EVENT.search(message)
    if start is None:
        return None
    window = message[start.start() : start.start() + WINDOW]
    at = window.find(_SYSTEM)
    if at < 0 or b"<!" in window[:at]:
        return None
    end = window.find(b"</System>", at)
    system = window[at : end if end >= 0 else WINDOW]
    provider, event_id, channel = _PROVIDER.search(system), _EVENT_ID.search(system), _CHANNEL.search(system)
    if provider is None or event_id is None or channel is None or provider[1] is None or event_id[2] is None or channel[1] is None:
        return None
    if b"<!" in system[: max(provider.end(), event_id.end(), channel.end())] or not (provider[1].isascii() and channel[1].isascii()):
        return None
    name = next((double or single for key, double, single in _NAMED.findall(provider[1]) if key == b"Name"), b"")
    return EventKey(channel[1].strip(b" \t\r\n").decode(), name.strip(b" \t\r\n").decode(), str(int(event_id[2]) & 0xFFFF))


def looks_like_event(payload: bytes) -> bool:
    """Whether a payload begins as event XML does: `<Event`, with or without prefix, declaration, byte order mark; or UTF-16 of it."""
    head = payload[:512]
    if head[:2] in _UTF16:
        text = head[: len(head) & ~1].decode("utf-16" if head[0] >= 0xFE else "utf-16-le" if head[0] else "utf-16-be", "replace")  # noqa: PLR2004 - BOM
        head = text.encode("ascii", "replace")
    return _PROLOG.match(head.lstrip(b"?")) is not None
