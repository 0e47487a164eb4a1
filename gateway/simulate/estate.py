"""The estate that simulated events come from: invented domain controllers, accounts, groups and machines of contoso.example.

No name here belongs to anybody: domains are of RFC 2606, addresses of RFC 5737. Some values are tricky on purpose, as in the
field: names with letters beyond ASCII, `&`, quotes, commas that a distinguished name has to escape, groups of domain Builtin.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

DOMAIN: Final = "contoso.example"
NETBIOS: Final = "CONTOSO"
DOMAIN_SID: Final = "S-1-5-21-1004336348-1177238915-682003330"
BASE_DN: Final = "DC=contoso,DC=example"

CONTROLLERS: Final = ("dc01.contoso.example", "dc02.contoso.example", "dc-branch.emea.contoso.example", "DC04.CONTOSO.EXAMPLE")

GIVEN: Final = ("Ana", "Bram", "Chidi", "Dara", "Eve", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kaya", "Liam", "Mei", "Noor", "Olu", "Priya")
FAMILY: Final = ("Adler", "Brandt", "Castro", "Diallo", "Eriksen", "Fontaine", "Gupta", "Haddad", "Ito", "Jansen", "Kowalski", "Lopes", "Moreau", "Novak")
TRICKY_NAMES: Final = (
    ("Zoë", "Müller"),
    ("Ahmet", "Yıldız"),
    ("健太", "佐藤"),
    ("Siobhán", 'O"Brien'),
    ("Pat", "Smith & Sons"),
    ("Rae", "<Contractor>"),
    ("Luz", "d'Ávila; ext=1|a"),
)

TRICKY_EVERY: Final = 20  # one person in so many has a name that breaks careless parsers


class Account(NamedTuple):
    """A user, service or computer account: SAM name, security identifier, and distinguished name as RFC 4514 writes it."""

    name: str
    sid: str
    dn: str


class Group(NamedTuple):
    """A group: its name, the domain an event names it by (`Builtin` for the built-in ones), and its security identifier."""

    name: str
    domain: str
    sid: str


BUILTIN_GROUPS: Final = (
    Group("Administrators", "Builtin", "S-1-5-32-544"),
    Group("Remote Desktop Users", "Builtin", "S-1-5-32-555"),
    Group("Backup Operators", "Builtin", "S-1-5-32-551"),
)
DOMAIN_GROUPS: Final = (
    Group("Domain Admins", NETBIOS, f"{DOMAIN_SID}-512"),
    Group("Schema Admins", NETBIOS, f"{DOMAIN_SID}-518"),
    Group("Sales EMEA", NETBIOS, f"{DOMAIN_SID}-2101"),
    Group("R&D Labs", NETBIOS, f"{DOMAIN_SID}-2102"),
    Group("Größere Projekte", NETBIOS, f"{DOMAIN_SID}-2103"),
    Group('VPN "remote" users', NETBIOS, f"{DOMAIN_SID}-2104"),
)
LOCAL_SYSTEM: Final = "S-1-5-18"


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything an event can be about.

    controllers:   fully qualified names of the domain controllers that log.
    users:         people's accounts, some with tricky names.
    operators:     the accounts that change groups and delete accounts.
    computers:     computer accounts, their names ending in `$`.
    workstations:  client names as clients supply them.
    """

    controllers: tuple[str, ...]
    users: tuple[Account, ...]
    operators: tuple[Account, ...]
    computers: tuple[Account, ...]
    workstations: tuple[str, ...]


def build_estate(random: Random, *, users: int = 200, computers: int = 120) -> Estate:
    """The same estate for the same state of `random`.

    Args:
        random: source of every choice.
        users: how many people's accounts, at least one.
        computers: how many computers, at least one.
    """
    people = [(random.choice(GIVEN), random.choice(FAMILY)) for _ in range(users)]
    people[1::TRICKY_EVERY] = [TRICKY_NAMES[at % len(TRICKY_NAMES)] for at in range(len(people[1::TRICKY_EVERY]))]
    return Estate(
        controllers=CONTROLLERS,
        users=tuple(_person(given, family, 1100 + at) for at, (given, family) in enumerate(people)),
        operators=tuple(_person("Adm", family, 5000 + at) for at, family in enumerate(FAMILY[:4])),
        computers=tuple(_computer(f"WKS-{at:04}", 9000 + at) for at in range(computers)),
        workstations=tuple(f"WKS-{at:04}" for at in range(computers)),
    )


def _person(given: str, family: str, rid: int) -> Account:
    name = f"{given[:1]}{family}{rid}".lower() if family.isascii() else f"{given}.{family}"
    return Account(name, f"{DOMAIN_SID}-{rid}", f"CN={_escape(f'{family}, {given}')},OU=Staff,{BASE_DN}")


def _computer(name: str, rid: int) -> Account:
    return Account(f"{name}$", f"{DOMAIN_SID}-{rid}", f"CN={name},OU=Workstations,{BASE_DN}")


def _escape(value: str) -> str:
    """An attribute value as RFC 4514 section 2.4 writes it."""
    return "".join(f"\\{char}" if char in ',+"\\<>;=' else char for char in value)
