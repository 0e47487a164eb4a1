"""Which layout a payload is in, told by its content alone: never by port, peer or header.

The table's order decides where two could claim one payload. The four layouts of the standalone sensor come first, in the order in
which its documents tell them apart; then those whose beginning is unmistakable; last JSON, which only its keys tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wire import event_xml
from wire.layouts import cef_windows, flat_json, leef, nxlog_json, qradar, rsa, snare, splunk, splunk_classic, winlogbeat_json
from wire.layouts.layout import Layout

LAYOUTS: Final[tuple[Layout, ...]] = (
    rsa.LAYOUT,
    cef_windows.LAYOUT,
    qradar.LAYOUT,
    splunk.LAYOUT,
    event_xml.LAYOUT,
    leef.LAYOUT,
    snare.LAYOUT,
    splunk_classic.LAYOUT,
    winlogbeat_json.LAYOUT,
    nxlog_json.LAYOUT,
    flat_json.LAYOUT,
)
"""Every layout, in the order in which content decides."""

BY_NAME: Final[Mapping[str, Layout]] = {layout.name: layout for layout in LAYOUTS}


def detect(payload: bytes) -> Layout | None:
    """The layout that `payload` begins like; None if none does. Reads a bounded prefix, never raises."""
    return next((layout for layout in LAYOUTS if layout.starts(payload)), None)
