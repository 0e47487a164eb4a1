r"""What the accounting of several vendors' VPN servers looks like: one table each, from what a server knows of a session to attributes in packet order.

    generic      RFC 2866 and Event-Timestamp of RFC 2869, users as UPNs
    rras         Microsoft Routing and Remote Access: DOMAIN\user, the attributes of RFC 2548
    cisco-asa    Cisco ASA: bare user names, no Event-Timestamp, vendor 3076 and Cisco-AVPair
    f5           F5 BIG-IP APM: DOMAIN\user, Acct-Session-Id as long as APM's session identifier
    check-point  Check Point: bare user names, little else
    fortigate    Fortinet FortiGate: UPNs, vendor 12356

A value is a template over what `describe_facts` names. Where a vendor documents which attributes it sends (docs/vpn/), its table follows; the order, and what
no document says, is likely rather than known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.simulate.estate import DOMAIN, NETBIOS
from gateway.simulate.radius_sessions import NS, OCTETS_PER_PACKET, Nas, Report, Status
from wire.radius.attributes import Attribute
from wire.radius.named import encode_named

EVERY: Final = frozenset(Status)
SESSION: Final = frozenset({Status.START, Status.INTERIM, Status.STOP})
RUNNING: Final = frozenset({Status.INTERIM, Status.STOP})
ENDING: Final = frozenset({Status.STOP})

GIGAWORD: Final = 1 << 32


class Row(NamedTuple):
    """One attribute.

    name:      in `wire.radius`' dictionary; the value of an enumeration is named as there.
    template:  of its value.
    when:      the status types whose requests have it.
    """

    name: str
    template: str
    when: frozenset[Status] = SESSION


@dataclass(frozen=True, slots=True)
class Flavour:
    """How one vendor accounts.

    name:    on the command line.
    vendor:  for `vendor = "..."` of the listener's client, which ends in `metadata.product.vendor_name`.
    rows:    its attributes.
    """

    name: str
    vendor: str
    rows: tuple[Row, ...]


STATUS: Final = Row("Acct-Status-Type", "{status}", EVERY)
DELAY: Final = Row("Acct-Delay-Time", "{delay}", EVERY)
STAMP: Final = Row("Event-Timestamp", "{time}", EVERY)
ADDRESS: Final = Row("NAS-IP-Address", "{nas_address}", EVERY)
NAMED: Final = Row("NAS-Identifier", "{nas_name}", EVERY)
ID: Final = Row("Acct-Session-Id", "{id}", EVERY)
PORT: Final = (Row("NAS-Port", "{port}"), Row("NAS-Port-Type", "Virtual"))
FRAMED: Final = (Row("Service-Type", "Framed"), Row("Framed-Protocol", "PPP"))
GIVEN: Final = Row("Framed-IP-Address", "{given}")
CALLER: Final = Row("Calling-Station-Id", "{client}")
ENDPOINT: Final = Row("Tunnel-Client-Endpoint", "{client}")
CLASS: Final = Row("Class", "{token}")
AUTHENTIC: Final = Row("Acct-Authentic", "RADIUS")
COUNTERS: Final = (
    Row("Acct-Session-Time", "{seconds}", RUNNING),
    Row("Acct-Input-Octets", "{octets_in}", RUNNING),
    Row("Acct-Output-Octets", "{octets_out}", RUNNING),
    Row("Acct-Input-Packets", "{packets_in}", RUNNING),
    Row("Acct-Output-Packets", "{packets_out}", RUNNING),
)
GIGAWORDS: Final = (Row("Acct-Input-Gigawords", "{gigawords_in}", RUNNING), Row("Acct-Output-Gigawords", "{gigawords_out}", RUNNING))
CAUSE: Final = Row("Acct-Terminate-Cause", "{cause}", ENDING)

BARE: Final = Row("User-Name", "{user}")
UPN: Final = Row("User-Name", "{user}@{domain}")
DOWN_LEVEL: Final = Row("User-Name", "{netbios}\\{user}")

FLAVOURS: Final = (
    Flavour(
        "generic",
        "",
        (STATUS, NAMED, ADDRESS, *PORT, *FRAMED, UPN, CALLER, GIVEN, ID, AUTHENTIC, CLASS, *COUNTERS, *GIGAWORDS, CAUSE, STAMP, DELAY),
    ),
    Flavour(
        "rras",
        "Microsoft",
        (
            ADDRESS,
            *FRAMED,
            *PORT,
            Row("Tunnel-Type", "L2TP"),
            Row("Tunnel-Medium-Type", "IPv4"),
            CALLER,
            ENDPOINT,
            Row("MS-RAS-Vendor", "311", EVERY),
            Row("MS-RAS-Version", "MSRASV5.20", EVERY),
            DOWN_LEVEL,
            Row("MS-RAS-Client-Version", "MSRASV5.20"),
            Row("MS-RAS-Client-Name", "{computer}"),
            GIVEN,
            CLASS,
            STATUS,
            Row("Acct-Session-Id", "{serial}", EVERY),
            Row("Acct-Multi-Session-Id", "{serial}"),
            Row("Acct-Link-Count", "1"),
            AUTHENTIC,
            *COUNTERS,
            CAUSE,
            STAMP,
            DELAY,
        ),
    ),
    Flavour(
        "cisco-asa",
        "Cisco",
        (
            BARE,
            PORT[0],
            *FRAMED,
            GIVEN,
            CLASS,
            Row("Called-Station-Id", "{nas_address}"),
            CALLER,
            STATUS,
            DELAY,
            *COUNTERS,
            *GIGAWORDS,
            ID,
            AUTHENTIC,
            CAUSE,
            PORT[1],
            ENDPOINT,
            ADDRESS,
            Row("ASA-TunnelGroupName", "EMPLOYEES"),
            Row("ASA-ClientType", "AnyConnect-Client-SSL-VPN"),
            Row("ASA-SessionType", "AnyConnect-Client-SSL-VPN"),
            Row("ASA-SessionSubtype", "Client"),
            Row("Cisco-AVPair", "mdm-tlv=device-platform=win"),
            Row("Cisco-AVPair", "mdm-tlv=device-mac={mac}"),
            Row("Cisco-AVPair", "mdm-tlv=computer-name={computer}"),
            Row("Cisco-AVPair", "audit-session-id={audit}"),
            Row("Cisco-AVPair", "ip:source-ip={client}"),
        ),
    ),
    Flavour(
        "f5",
        "F5",
        (STATUS, DOWN_LEVEL, Row("Acct-Session-Id", "{long}", EVERY), ADDRESS, *PORT, *FRAMED, GIVEN, CALLER, CLASS, AUTHENTIC, *COUNTERS, CAUSE, DELAY),
    ),
    Flavour(
        "check-point",
        "Check Point",
        (BARE, ADDRESS, NAMED, PORT[1], GIVEN, CALLER, STATUS, ID, *COUNTERS, CAUSE, DELAY),
    ),
    Flavour(
        "fortigate",
        "Fortinet",
        (
            STATUS,
            UPN,
            NAMED,
            ADDRESS,
            *PORT,
            GIVEN,
            CALLER,
            CLASS,
            ID,
            *COUNTERS,
            *GIGAWORDS,
            CAUSE,
            STAMP,
            DELAY,
            Row("Fortinet-Vdom-Name", "root", EVERY),
            Row("Fortinet-Group-Name", "vpn-users"),
            Row("Fortinet-Client-IP-Address", "{client}"),
        ),
    ),
)
BY_NAME: Final = MappingProxyType({flavour.name: flavour for flavour in FLAVOURS})

STATUS_NAMES: Final = MappingProxyType(
    {
        Status.START: "Start",
        Status.STOP: "Stop",
        Status.INTERIM: "Interim-Update",
        Status.ON: "Accounting-On",
        Status.OFF: "Accounting-Off",
    }
)


def describe_facts(nas: Nas, report: Report, delay: int) -> Mapping[str, str]:
    """What a request about this may say, by the names that templates use.

    Args:
        nas: who reports.
        report: what.
        delay: seconds since it happened.
    """
    known = {
        "status": STATUS_NAMES[report.status],
        "delay": str(delay),
        "time": str(report.unix_ns // NS),
        "nas_address": str(nas.address),
        "nas_name": nas.name,
        "id": f"{nas.boot:04X}{report.number:08X}",
        "serial": str((nas.boot << 16) + report.number),
        "long": f"{nas.boot:04x}{report.number:028x}",
    }
    session = report.session
    if session is None:
        return known
    octets_in, octets_out = (rate * report.seconds for rate in session.octets)
    return known | {
        "netbios": NETBIOS,
        "domain": DOMAIN,
        "user": session.account.name,
        "port": str(session.port),
        "given": str(session.given),
        "client": str(session.client),
        "computer": session.computer,
        "mac": session.mac.hex("-"),
        "token": session.token.hex(),
        "audit": f"{int(nas.address):08x}{session.number:08x}{session.began_ns // NS:08x}",
        "seconds": str(report.seconds),
        "octets_in": str(octets_in % GIGAWORD),
        "octets_out": str(octets_out % GIGAWORD),
        "gigawords_in": str(octets_in // GIGAWORD),
        "gigawords_out": str(octets_out // GIGAWORD),
        "packets_in": str(octets_in // OCTETS_PER_PACKET),
        "packets_out": str(octets_out // OCTETS_PER_PACKET),
        "cause": report.cause,
    }


def session_id(flavour: Flavour, nas: Nas, report: Report) -> str:
    """The Acct-Session-Id that a request about this carries."""
    template = next(row.template for row in flavour.rows if row.name == "Acct-Session-Id")
    return template.format_map(describe_facts(nas, report, 0))


def describe(flavour: Flavour, nas: Nas, report: Report, delay: int) -> list[Attribute]:
    """The attributes of a request about this, in packet order; arguments as above."""
    facts = describe_facts(nas, report, delay)
    return [attribute for row in flavour.rows if report.status in row.when for attribute in _encode(row.name, row.template.format_map(facts))]


@lru_cache(maxsize=8192)
def _encode(name: str, text: str) -> tuple[Attribute, ...]:
    return encode_named([(name, text)])
