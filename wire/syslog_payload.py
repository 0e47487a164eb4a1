r"""How the payloads begin that a syslog message carries to us, so that no header is ever taken for part of one, nor the reverse.

    beginning                     layout
    CEF:0|                        ArcSight Common Event Format
    LEEF:1.0| LEEF:2.0|           IBM Log Event Extended Format
    RsaSA                         RSA Security Analytics; an LF or the two characters \n follow
    AgentDevice=                  QRadar
    MSWinEventLog                 Snare; a TAB follows, or what a relay made of it
    EventCode= Logfile= ...       Splunk key=value, in any order
    03/15/2021 10:11:12 AM        classic Splunk, its date line; LogName= where that is missing; 20210315101112.345678 from WMI
    <Event> <?xml ...?>           event XML, with or without a namespace prefix
    {"                            JSON

Only the beginning is looked at, a bounded number of octets: what the payload is, its layout decides (`wire.layouts.detect`).
"""

from __future__ import annotations

import re
from typing import Final

WHITE: Final = re.compile(rb"[ \t\r\n\x00]*+")
"""White space between header and payload; NUL is the trailer of old senders (RFC 6587 section 3.4.2)."""

ALWAYS: Final = (
    rb"CEF:\x20?[0-9]|LEEF:\x20?[0-9]|AgentDevice=|RsaSA(?=[\r\n\\\x20]|\Z)|MSWinEventLog(?=[\t\x20,;|\r\n]|\#011|\\t|\\x09|\^I|<009>|\Z)"
    rb"|<\?xml\s|<(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}:)?Events?(?=[\s/>]|\Z)|\{[\x20\t\r\n]{0,64}(?:\"|\Z)"
)
_DATE_TIME: Final = rb"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}\x20[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:\x20[AaPp][Mm])?"
DATE_LINE: Final = _DATE_TIME + rb"[\x20\t]{0,8}(?=[\r\n]|\Z)"
FLAT_DATE: Final = _DATE_TIME + rb"(?:\x20|(?:\#015)?\#012)(?=LogName=)"
ISO_LINE: Final = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[\x20T][0-9]{2}:[0-9]{2}:[0-9]{2}[^\s=]{0,16}\r?\n(?=(?:LogName|SourceName|EventCode)=)"
CIM_LINE: Final = rb"[0-9]{14}\.[0-9]{6}(?:[+-][0-9]{3})?[\x20\t]{0,8}(?=[\r\n]|\Z)"
KEY_LINE: Final = (
    rb"(?:LogName|EventCode|Logfile|SourceName|TimeGenerated|ComputerName|EventType|RecordNumber|Keywords|Type|TaskCategory|OpCode|User|Sid|SidType)="
)

BEGINNING: Final = re.compile(
    rb"(?:" + ALWAYS + rb"|" + DATE_LINE + rb"|" + FLAT_DATE + rb"|" + ISO_LINE + rb"|" + CIM_LINE + rb"|" + KEY_LINE + rb"|Message=)", re.ASCII
)
"""Matches at the first octet of a payload that one of the layouts may understand."""
