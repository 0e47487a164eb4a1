"""VPN sessions on a simulated network access server: what it has to report next, and what it knows of a session when it does.

Everything drawn comes from one seeded `random.Random` and every time from the caller, so that the same seed and times give the same reports. No two reports
of a session say the same: between two Interim-Updates at least a second passes, as Acct-Session-Time counts it. Names and addresses are invented: domains are
of RFC 2606, clients' addresses of RFC 5737, those they are given of RFC 1918.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address
from random import Random
from typing import Final

from gateway.simulate.estate import Account

NS: Final = 10**9

NAS_NETWORK: Final = int(IPv4Address("198.51.100.0"))
CLIENT_NETWORK: Final = int(IPv4Address("203.0.113.0"))
GIVEN_NETWORK: Final = int(IPv4Address("10.64.0.0"))
GIVEN: Final = 1 << 14
"""Addresses that one NAS has to give ..."""
MOST: Final = GIVEN - 1
"""... and so its most sessions at once."""
MOST_NAS: Final = 254
CLIENTS: Final = range(1, 255)

START: Final = 0.4
STOP: Final = 0.25
"""How likely a NAS that could report anything reports the beginning of a session, and otherwise the end of one."""
OCTETS_PER_SECOND: Final = (200, 400_000)
OCTETS_PER_PACKET: Final = 700
CAUSES: Final = {"User Request": 14, "Idle Timeout": 4, "Session Timeout": 2, "Lost Carrier": 2, "Admin Reset": 1}
"""Acct-Terminate-Cause (RFC 2866 section 5.10) by its name, and how often."""


class Status(IntEnum):
    """Acct-Status-Type (RFC 2866 section 5.1), as far as a VPN server sends it."""

    START = 1
    STOP = 2
    INTERIM = 3
    ON = 7
    OFF = 8


@dataclass(slots=True)
class Session:
    """One VPN session.

    number:    counts the NAS' sessions, On and Off among them.
    account:   whose it is.
    port:      the NAS' virtual port, 1 upwards; while the session lasts nobody else has it.
    given:     address inside.
    client:    address outside.
    computer:  name of the client's machine.
    mac:       its hardware address, six octets.
    token:     what the authenticating server gave as Class.
    octets:    per second, from the client and to it.
    began_ns:  nanoseconds since the Unix epoch.
    reported:  whole seconds it had lasted when it was reported last; 0 after the Start.
    """

    number: int
    account: Account
    port: int
    given: IPv4Address
    client: IPv4Address
    computer: str
    mac: bytes
    token: bytes
    octets: tuple[int, int]
    began_ns: int
    reported: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One thing to be accounted for: an Accounting-Request in the making.

    status:   what kind.
    number:   of the session; On and Off have their own.
    session:  whose; None for On and Off.
    unix_ns:  when it happened.
    seconds:  the session had lasted.
    cause:    why it ended, by name; of a Stop alone.
    """

    status: Status
    number: int
    session: Session | None
    unix_ns: int
    seconds: int = 0
    cause: str = ""


class Nas:
    """A network access server with its sessions.

    name:     fully qualified, also its NAS-Identifier.
    address:  its NAS-IP-Address, whatever address its packets come from.
    boot:     16 bits that tell this start of it from others; its session identifiers begin with them.
    open:     sessions that go on.
    """

    def __init__(self, at: int, name: str, accounts: Sequence[Account], random: Random, *, most: int) -> None:
        """NAS number `at` of a simulation, 1 to 254: no other has its address, or gives the same addresses.

        Args:
            at: its number.
            name: fully qualified.
            accounts: whose sessions they can be, at least one.
            random: source of everything drawn.
            most: sessions open at once, 1 to MOST.
        """
        self.name: Final = name
        self.address: Final = IPv4Address(NAS_NETWORK + at)
        self.boot: Final = random.getrandbits(16)
        self.open: list[Session] = []
        self._at, self._accounts, self._random, self._most = at, accounts, random, most
        self._number = 0
        self._ports = list(range(most, 0, -1))

    def turn_on(self, now_ns: int) -> Report:
        """Accounting-On."""
        return Report(Status.ON, self._count(), None, now_ns)

    def turn_off(self, now_ns: int) -> Report:
        """Accounting-Off, which ends all sessions without a word about each."""
        self.open.clear()
        return Report(Status.OFF, self._count(), None, now_ns)

    def report(self, now_ns: int) -> Report:
        """A session begins, goes on or ends."""
        begins = len(self.open) < self._most and (not self.open or self._random.random() < START)
        if begins:
            session = self._begin(now_ns)
            return Report(Status.START, session.number, session, now_ns)
        at = self._random.randrange(len(self.open))
        session = self.open[at]
        seconds = max(0, now_ns - session.began_ns) // NS
        if seconds <= session.reported or self._random.random() < STOP:  # an Interim-Update in the same second would say the same as the last
            self.open[at] = self.open[-1]
            self.open.pop()
            self._ports.append(session.port)
            return Report(Status.STOP, session.number, session, now_ns, seconds, self._draw_cause())
        session.reported = seconds
        return Report(Status.INTERIM, session.number, session, now_ns, seconds)

    def _begin(self, now_ns: int) -> Session:
        random, port = self._random, self._ports.pop()
        session = Session(
            number=self._count(),
            account=random.choice(self._accounts),
            port=port,
            given=IPv4Address(GIVEN_NETWORK + self._at * GIVEN + port),
            client=IPv4Address(CLIENT_NETWORK + random.choice(CLIENTS)),
            computer=f"LT-{random.randrange(10_000):04}",
            mac=bytes([0x02]) + random.randbytes(5),  # locally administered
            token=random.randbytes(12),
            octets=(random.randint(*OCTETS_PER_SECOND), random.randint(*OCTETS_PER_SECOND)),
            began_ns=now_ns,
        )
        self.open.append(session)
        return session

    def _count(self) -> int:
        self._number += 1
        return self._number

    def _draw_cause(self) -> str:
        return self._random.choices(list(CAUSES), list(CAUSES.values()))[0]
