"""The enrichers there are, by the word that asks for them in `enrich`: a new one is its function, its word and a row here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from forwarders.enrichers.vpn import BY_ACCOUNT, BY_IP, Enrichment, Record, vpn_by_account, vpn_by_ip
from pipeline.state.sessions import Sessions

Enricher = Callable[[Record, Sessions], Iterable[Enrichment]]
"""What it knows of a record: a function of the record and the table of sessions alone."""


class Join(StrEnum):
    """What may be joined."""

    VPN_BY_ACCOUNT = BY_ACCOUNT
    VPN_BY_IP = BY_IP


ENRICHERS: Final[Mapping[Join, Enricher]] = {Join.VPN_BY_ACCOUNT: vpn_by_account, Join.VPN_BY_IP: vpn_by_ip}
