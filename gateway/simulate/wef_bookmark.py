"""What a simulated machine writes about its place in its log: bookmarks, and the event that reports where a subscription begins (winevt bookmark).

    <BookmarkList><Bookmark Channel="Security" RecordId="149161" IsCurrent="true"/></BookmarkList>

To a collector both are opaque. A machine reads only what it once wrote itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.errors import MessageError
from wire.event_time import format_iso
from wire.event_xml import NAMESPACE
from wire.wef.envelope import parse_document
from wire.wef.spelling import attribute, escape
from wire.wef.subscription import FROM_EARLIEST

DOCUMENT: Final = "winevt bookmark"


def parse_bookmark(fragment: bytes) -> dict[str, int]:
    """The record ID of each channel in a bookmark; empty for none, and for the earliest.

    Raises:
        MessageError: it isn't a BookmarkList.
    """
    if fragment in (b"", FROM_EARLIEST):
        return {}
    root = parse_document(fragment).root
    if root.name != "BookmarkList":
        raise MessageError("bad-bookmark", document=DOCUMENT, detail=root.name[:40])
    marks = {mark.attributes.get("Channel", ""): mark.attributes.get("RecordId", "") for mark in root.children if mark.name == "Bookmark"}
    return {channel: int(record_id) for channel, record_id in marks.items() if record_id.isdecimal()}


def encode_bookmark(marks: Mapping[str, int], current: str = "") -> bytes:
    """A bookmark.

    Args:
        marks: the last record ID read, by channel.
        current: the channel of the last event of all.
    """
    is_current = {current: ' IsCurrent="true"'}
    rows = (f'<Bookmark Channel="{attribute(channel)}" RecordId="{record_id}"{is_current.get(channel, "")}/>' for channel, record_id in marks.items())
    return f"<BookmarkList>{''.join(rows)}</BookmarkList>".encode()


def encode_position_report(machine: str, subscription: str, unix_ns: int) -> bytes:
    """Event 111 of Microsoft-Windows-EventForwarder: subscribed, and this is where I begin. It has no EventRecordID."""
    return (
        f"<Event xmlns='{NAMESPACE}'><System><Provider Name='Microsoft-Windows-EventForwarder'/><EventID>111</EventID>"
        f"<TimeCreated SystemTime='{format_iso(unix_ns, 7)}'/><Computer>{escape(machine)}</Computer></System>"
        f"<SubscriptionBookmarkEvent><SubscriptionId>{escape(subscription)}</SubscriptionId></SubscriptionBookmarkEvent></Event>"
    ).encode()
