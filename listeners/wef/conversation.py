"""What is to be done about a source's message, without doing any of it ([MS-WSMV] section 3.1.4.1.30).

A message is judged by what it is and by its standing, and two tables say the rest:

    standing    the message
    CURRENT     is for a subscription this source may have, in the version it is told of now; so is whatever isn't for one
    OUTDATED    is for an older version: the source will learn of the new one at its next refresh, and what it sends until then counts
    UNKNOWN     is for a subscription there isn't
    FORBIDDEN   comes from a source that may not have the subscription, or may not speak here at all

    deed        is
    LIST        answer with all subscriptions of this source, each with the place it goes on from
    KEEP        commit the events together with the bookmark, then acknowledge; no earlier
    NOTE        note the sign of life, then acknowledge
    FAREWELL    log why the source gives up, then acknowledge; its bookmark stays, since it comes back
    CLOSE       nothing: 204
    REFUSE      nothing: the status says why

What isn't acknowledged is sent again, so at worst events come twice, and the spool knows them by their uid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from listeners.wef.identity import Identity, NameList
from listeners.wef.settings import EndpointSettings, Mismatch
from listeners.wef.sources import Message
from pipeline.model import Trust
from wire.wef.messages import Delivery, End, Enumerate, Events, Heartbeat, Request, SubscriptionEnd
from wire.wef.namespaces import DELIVERY_PATH, SecurityProfile
from wire.wef.subscribe import make_offer
from wire.wef.subscription import Offer, Route, Subscription

OUTDATED_LABEL: Final = "subscription:outdated"
MISMATCH_LABEL: Final = "identity:mismatch"


class Standing(Enum):
    """Of a message; see above."""

    CURRENT = "current"
    OUTDATED = "outdated"
    UNKNOWN = "unknown-subscription"
    FORBIDDEN = "not-allowed"


class Deed(Enum):
    """What is to be done; see above."""

    LIST = "list"
    KEEP = "keep"
    NOTE = "note"
    FAREWELL = "farewell"
    CLOSE = "close"
    REFUSE = "refuse"


MESSAGES: Final[dict[type[Request], Message]] = {
    Enumerate: Message.ENUMERATE,
    Heartbeat: Message.HEARTBEAT,
    Events: Message.EVENTS,
    SubscriptionEnd: Message.SUBSCRIPTION_END,
    End: Message.END,
}

DEEDS: Final[dict[Message, dict[Standing, Deed]]] = {
    message: dict(zip(Standing, deeds, strict=True))
    for message, *deeds in (
        #                          CURRENT        OUTDATED       UNKNOWN        FORBIDDEN
        (Message.ENUMERATE,        Deed.LIST,     Deed.LIST,     Deed.LIST,     Deed.REFUSE),
        (Message.HEARTBEAT,        Deed.NOTE,     Deed.NOTE,     Deed.REFUSE,   Deed.REFUSE),
        (Message.EVENTS,           Deed.KEEP,     Deed.KEEP,     Deed.REFUSE,   Deed.REFUSE),
        (Message.SUBSCRIPTION_END, Deed.FAREWELL, Deed.FAREWELL, Deed.FAREWELL, Deed.REFUSE),
        (Message.END,              Deed.CLOSE,    Deed.CLOSE,    Deed.CLOSE,    Deed.REFUSE),
    )
}  # fmt: skip
"""A source that gives up a subscription we don't have any more is right."""

STATUSES: Final = {Standing.UNKNOWN: 404, Standing.FORBIDDEN: 403}
"""Of a refusal."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A Windows subscription, and who is offered it.

    group:         name of the [[listeners.wef.subscriptions]] table it came of.
    subscription:  what sources are told.
    clients:       who may have it.
    """

    group: str
    subscription: Subscription
    clients: NameList


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a message.

    message:       what it is.
    deed:          what to do.
    status:        HTTP status when it is done.
    standing:      why.
    subscription:  name of the Windows subscription it is for; "" where it is for none that there is.
    trust:         how far its events are believed.
    """

    message: Message
    deed: Deed
    status: int
    standing: Standing
    subscription: str
    trust: Trust


class Conversation:
    """The conversation at one endpoint.

    Args:
        endpoint: its settings.
        profile: how clients authenticate there.
        offered: every Windows subscription of the listener.
        mismatch: what becomes of events of another computer.
        forwarders: who may speak for others.
    """

    def __init__(self, endpoint: EndpointSettings, profile: SecurityProfile, offered: Iterable[Offered], mismatch: Mismatch, forwarders: NameList) -> None:
        self._url: Final = endpoint.url.base
        self._path: Final = endpoint.url.path.lower()
        self._profile: Final = profile
        self._clients: Final = NameList(endpoint.clients)
        self._offered: Final = {str(one.subscription.id): one for one in offered if not endpoint.subscriptions or one.group in endpoint.subscriptions}
        self._refuse_mismatch: Final = mismatch is Mismatch.REFUSE
        self._forwarders: Final = forwarders
        self._versions: Final[dict[tuple[str, str], str]] = {}

    def hears(self, target: str) -> bool:
        """Whether a request's target is one that sources were told of: their manager's, free to choose, or a delivery's."""
        path = target.partition("?")[0].lower()
        return path == self._path or path.startswith(DELIVERY_PATH.lower())

    def decide(self, request: Request, identity: Identity) -> Decision:
        """What is to be done about a message of a source."""
        message = MESSAGES[type(request)]
        claims_another = bool(request.machine_id) and not identity.speaks_for(request.machine_id)
        one = self._offered.get(request.identifier.lower()) if isinstance(request, Delivery) else None
        standing = self._standing(request, identity, one, claims_another=claims_another)
        deed = DEEDS[message][standing]
        status = STATUSES[standing] if deed is Deed.REFUSE else 204 if deed is Deed.CLOSE else 200
        outdated = (OUTDATED_LABEL,) if standing is Standing.OUTDATED else ()
        if claims_another:
            trust = Trust((*outdated, MISMATCH_LABEL))
        elif self._forwarders.has(identity):
            trust = Trust(outdated)
        else:
            trust = Trust(outdated, identity.speaks_for, self._refuse_mismatch)
        return Decision(message, deed, status, standing, one.subscription.name if one else "", trust)

    def _standing(self, request: Request, identity: Identity, one: Offered | None, *, claims_another: bool) -> Standing:
        if not self._clients.has(identity) or (claims_another and self._refuse_mismatch):
            return Standing.FORBIDDEN
        if not isinstance(request, Delivery):
            return Standing.CURRENT
        if one is None:
            return Standing.UNKNOWN
        if not one.clients.has(identity):
            return Standing.FORBIDDEN
        return Standing.CURRENT if request.generation.lower() == self._version(one, identity) else Standing.OUTDATED

    def subscriptions(self, identity: Identity) -> Sequence[str]:
        """Names of the Windows subscriptions a source is told of."""
        return [one.subscription.name for one in self._offered.values() if one.clients.has(identity)]

    def offers(self, identity: Identity, bookmarks: Mapping[str, bytes]) -> list[Offer]:
        """What a source is told.

        Args:
            identity: of the source.
            bookmarks: what it last sent, by name of the Windows subscription.
        """
        route = self._route(identity)
        allowed = (one.subscription for one in self._offered.values() if one.clients.has(identity))
        return [make_offer(subscription, route, bookmarks.get(subscription.name)) for subscription in allowed]

    def _route(self, identity: Identity) -> Route:
        return Route(url=self._url, profile=self._profile, thumbprint=identity.issuer)

    def _version(self, one: Offered, identity: Identity) -> str:
        """The version a source is told of, in lower case. It differs by the authority that issued its certificate, of which there are few."""
        key = one.subscription.name, identity.issuer
        if key not in self._versions:
            self._versions[key] = str(make_offer(one.subscription, self._route(identity)).version)
        return self._versions[key]
