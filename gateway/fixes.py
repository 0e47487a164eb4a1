"""What the owner of a sender has to change, by the rule its messages break: `explain`'s last word.

A row says it for one layout, or for any (`""`). `missing-key:Computer` is looked up whole, then as `missing-key`. The names are those
of the counters `tidegate_rejected_total` and `tidegate_warned_total`.
"""

from __future__ import annotations

from typing import Final

_COMPLETE: Final = (
    "the sender cut the message: send over TCP or TLS, or raise its message limit (rsyslog maxMessageSize, syslog-ng log-msg-size) to 64 KiB or more"
)
_LEAN_JSON: Final = "send the event's own fields only; nothing that a Windows event carries comes near this limit"
_NO_CLOCK: Final = "make the forwarder write the event's own time, with milliseconds, and not the time of forwarding"

FIXES: Final[dict[tuple[str, str], str]] = {
    # nothing recognized
    (
        "unknown-format",
        "",
    ): "send Windows events as event XML (NXLog to_xml, Winlogbeat include_xml), as JSON, or in the layout of Splunk, QRadar, CEF, LEEF, Snare or RSA",
    ("not-a-windows-event", "cef"): "only Windows events are mapped, whose signature is PROVIDER:EVENT-ID: send this device's other events elsewhere",
    ("not-a-windows-event", "leef"): "only LEEF of Microsoft Windows is mapped: send this device's other events elsewhere",
    ("not-a-windows-event", "qradar"): "AgentDevice has to be WindowsLog: forward the Windows log source alone",
    ("event-not-in-layout", ""): "this layout carries event 4776 alone: forward the others in the Splunk or QRadar layout, or as event XML",
    # keys and fields
    ("missing-key", ""): "add the key to the forwarder's template: the event can't be told, or told apart, without it",
    ("missing-key:Channel", ""): "send the event's log (Channel, LogName): without it nobody can tell whose event this ID is",
    ("missing-key:Provider", ""): "send the event's source (Provider, SourceName): without it nobody can tell whose event this ID is",
    ("no-channel", ""): "send the event's log (Channel, LogName) too; it was told from the provider, which writes to one alone",
    ("missing-key", "splunk"): "the template needs EventCode, Logfile, SourceName, TimeGenerated, ComputerName, and Message last, each ended by CRLF",
    ("missing-key", "qradar"): "the template needs AgentLogFile, Source, Computer, EventID, TimeGenerated, and Message last, separated by TAB",
    ("missing-key", "event-xml"): "send the event's XML whole, its System element included",
    ("missing-field", "cef"): "write seven fields between pipes after CEF:0, and escape a pipe inside them as \\|",
    ("bad-event-id", ""): "write the event ID as a decimal number",
    ("message-not-last", ""): "move Message= to the end of the template: its text may hold anything, so nothing can be found behind it",
    ("wrong-field-count", "rsa"): "write the nine fields, RsaSA first, each on its own line or separated as the RSA template does",
    ("wrong-field-count", "snare"): "keep Snare's TABs: a relay that turns them into spaces (rsyslog's escape of control characters) has to be told not to",
    ("separators", "snare"): "keep Snare's TABs, or have the relay write #011 for them: blanks for TABs leave no fields to tell apart",
    ("separators", "splunk-classic"): "keep the line breaks: tell the relay not to rewrite messages of several lines",
    ("missing-header", "qradar"): "put a syslog header before AgentDevice=: <PRI>, date and host",
    ("separators", "qradar"): "separate the keys with TAB",
    ("separators", "splunk"): "end each key with CRLF, and tell relays not to rewrite it",
    ("spaces-for-tabs", ""): "keep the TABs: tell the relay not to rewrite control characters (rsyslog: $EscapeControlCharactersOnReceive off)",
    ("escaped-controls", ""): "tell the relay not to rewrite control characters (rsyslog: $EscapeControlCharactersOnReceive off)",
    ("wincollect", ""): "WinCollect's times are whole seconds: forward these events from another log source, with TimeGenerated in milliseconds",
    ("syslog-header", "cef"): "send CEF without a syslog header before CEF:0",
    ("bad-extension", "cef"): "write key=value pairs separated by one space, and escape = and \\ inside values",
    ("duplicate-key", ""): "write each key once: of several only one is read",
    ("too-many-keys", ""): _LEAN_JSON,
    ("too-many-names", ""): _LEAN_JSON,
    # times
    ("bad-time", ""): _NO_CLOCK,
    ("no-time", ""): _NO_CLOCK,
    ("no-milliseconds", ""): "let the forwarder write milliseconds: without them two attempts in one second can't be told apart",
    # text
    ("truncated", ""): _COMPLETE,
    ("truncated-rendering", ""): "the rendered text was cut, the event is whole: `wecutil ss NAME /cf:Events` sends none and is quicker",
    (
        "localised-text",
        "",
    ): "the text isn't English: send event XML, or install the English language on the forwarder; names and IDs inside the text can't be told otherwise",
    ("localised-label", ""): "the label isn't English: have the sender write Reason or Error Code",
    ("ambiguous-text", ""): "line breaks were lost on the way: send them as they are, or event XML",
    ("not-utf-8", ""): "send UTF-8",
    ("invalid-utf8", ""): "send UTF-8",
    ("illegal-character", ""): "control characters were replaced: XML can't carry them",
    # event XML
    ("not-well-formed", "event-xml"): "the XML ends early or isn't XML: send it whole, over TCP or TLS if it is long, and don't let a relay rewrite it",
    ("doctype", ""): "no Windows event has a DOCTYPE: find out who sends this, it may be an attack",
    ("not-an-event", ""): "one Event element is expected",
    ("too-deep", ""): "no Windows event nests like this: find out who sends it",
    ("name-too-long", ""): "no Windows event has such a name: find out who sends it",
    ("event-too-large", ""): "events are 64 KiB at most on Windows: send one event per message",
    # JSON and LEEF
    ("json-not-well-formed", ""): "send one JSON object per message, whole; over TCP one per line",
    ("json-not-an-object", ""): "send one JSON object per message",
    ("several-events", ""): "send one event per message, not an array of them",
    ("json-too-deep", ""): _LEAN_JSON,
    ("leef-version", ""): "begin with LEEF:1.0| or LEEF:2.0|",
    ("leef-header", ""): "write vendor, product, version and event ID between pipes",
    ("leef-delimiter", ""): "name one character, or x and its code, as LEEF 2.0's delimiter",
    # Windows Event Forwarding
    ("identity-mismatch", ""): "the event names another computer than its sender: list the sender under [listeners.wef] forwarders if it forwards for others",
    ("unknown-subscription", ""): "the source still runs a subscription that isn't configured any more; it learns so at its next refresh (Refresh= in the GPO)",
    ("not-allowed", ""): "list the source under clients of its endpoint and subscription",
    ("empty-body", ""): "a request without content came where a message was due: something other than Windows' forwarder speaks to this endpoint",
    ("content-encoding", ""): "Windows sends SLDC or no coding: something other than Windows' forwarder speaks to this endpoint",
    ("encoding-limit", ""): "the subscriptions don't fit into what the source takes: offer it fewer, or raise MaxEnvelopeSizekb on it (winrm set winrm/config)",
    ("spool-full", ""): "the spool takes nothing in: let the destination it names catch up, or raise [spool] max_bytes or its quota; the source sends again",
    ("spool-slow", ""): "the disk took longer than [listeners.wef] answer_within to keep a batch: look at its latency; the source sends again",
    ("spool", ""): "the disk refused: look at it and at the log; the source sends again",
    ("unknown-action", ""): "no message of Windows Event Forwarding: something else speaks WS-Management to this endpoint",
    ("not-an-envelope", ""): "no SOAP message: something other than Windows' forwarder speaks to this endpoint",
    # RADIUS accounting
    ("unknown-client", ""): "no client of [[listeners.radius.clients]] has this address, or this certificate: add it, or find out who sends this",
    ("radius-authenticator", ""): "the client signs with another secret: write the same on both sides; the secret ends where its line ends",
    (
        "radius-message-authenticator",
        "",
    ): "of a Status-Server, the client signs with another secret: write the same on both sides; an accounting request was signed with the right one, "
    "and its client makes this attribute otherwise than RFC 2869 and FreeRADIUS do: let it leave it out, or look for an update of its software",
    (
        "radius-no-message-authenticator",
        "",
    ): "let the client send Message-Authenticator, or leave require_message_authenticator out; a Status-Server is never answered without one",
    ("radius-code", ""): "this port takes accounting (code 4) and Status-Server (code 12): point authentication (code 1) at an authentication server",
    ("radius-length", ""): "this is no RADIUS packet: find out who sends it",
    ("radius-short", ""): "the packet was cut on the way, mostly by a firewall that drops fragments: let them pass, or let the client send less",
    ("radius-attribute", ""): "the client's packet is malformed: look for an update of its software",
    ("missing-attribute", ""): "RFC 2866 demands this attribute of every accounting request: look for it in the client's accounting settings",
    ("malformed-attribute", ""): "the attribute has another length than its type: look for an update of the client's software",
    # framing
    ("oversize", ""): "the message is longer than [listeners.syslog] max_message: raise it, or find out why the sender writes so much",
    ("msg-len-digits", ""): "this isn't octet counting: check that the sender and this port agree on framing, and that TLS goes to the TLS port",
    ("msg-len-syntax", ""): "this isn't octet counting: check that the sender and this port agree on framing, and that TLS goes to the TLS port",
    ("mixed-framing", ""): "one connection mixes octet counting and lines: set one framing in the sender (rsyslog: TCP_Framing)",
    ("bad-pri", ""): "write the priority as <0> to <191>",
    ("bad-structured-data", ""): 'close the structured data with ], and escape ", \\ and ] inside values (RFC 5424 section 6.3.3)',
    ("internal-error", ""): "this is a bug of Tidegate: please report it with this message",
}


def fix_for(rule: str, layout: str = "") -> str:
    """What to do about a broken rule; empty where there is nothing to say."""
    plain = rule.partition(":")[0]
    keys = ((rule, layout), (plain, layout), (rule, ""), (plain, ""))
    return next((FIXES[key] for key in keys if key in FIXES), "")
