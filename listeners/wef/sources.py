"""Where each source stands in its conversation, by what it said last: a table, since a source is nothing but its messages.

A source is one client of one Windows subscription. What it says comes over connections that it opens and drops as it likes, and the gateway may have been
started since its last word: so every message is taken in every state, and the state decides nothing about the answer. It says what an operator asks.

    state    the source                                                          heard by
    NEW      hasn't been heard since the gateway started
    LISTED   was told of the subscription, and hasn't delivered since            Enumerate
    ALIVE    has nothing to deliver, and said so                                 Heartbeat
    ACTIVE   delivers                                                            Events
    ENDED    gave the subscription up: it shuts down, or can't go on             SubscriptionEnd

Windows enumerates again at every refresh while it delivers on: being listed anew changes nothing about a source that is ALIVE or ACTIVE. End closes an
enumeration and says nothing of a subscription.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

MAX_SOURCES: Final = 200_000
"""Sources whose state is remembered; the one that was quiet longest is forgotten first, and is NEW when it comes back."""


class Message(StrEnum):
    """What came."""

    ENUMERATE = "enumerate"
    HEARTBEAT = "heartbeat"
    EVENTS = "events"
    SUBSCRIPTION_END = "subscription-end"
    END = "end"


class State(StrEnum):
    """Where a source stands."""

    NEW = "new"
    LISTED = "listed"
    ALIVE = "alive"
    ACTIVE = "active"
    ENDED = "ended"


_HEARD: Final = {Message.HEARTBEAT: State.ALIVE, Message.EVENTS: State.ACTIVE, Message.SUBSCRIPTION_END: State.ENDED}

NEXT: Final[dict[State, dict[Message, State]]] = {
    State.NEW:    {**_HEARD, Message.ENUMERATE: State.LISTED, Message.END: State.NEW},
    State.LISTED: {**_HEARD, Message.ENUMERATE: State.LISTED, Message.END: State.LISTED},
    State.ALIVE:  {**_HEARD, Message.ENUMERATE: State.ALIVE,  Message.END: State.ALIVE},
    State.ACTIVE: {**_HEARD, Message.ENUMERATE: State.ACTIVE, Message.END: State.ACTIVE},
    State.ENDED:  {**_HEARD, Message.ENUMERATE: State.LISTED, Message.END: State.ENDED},
}  # fmt: skip


class Sources:
    """The states of all sources of the listener.

    Args:
        limit: how many are remembered.
    """

    def __init__(self, limit: int = MAX_SOURCES) -> None:
        self._limit: Final = limit
        self._states: Final[OrderedDict[tuple[str, str], State]] = OrderedDict()
        self._counts: Final[Counter[tuple[str, State]]] = Counter()

    def state(self, subscription: str, client: str) -> State:
        """Where a source stands."""
        return self._states.get((subscription, client), State.NEW)

    def hear(self, message: Message, subscription: str, client: str) -> Mapping[tuple[str, State], int]:
        """Note a message; returns how many sources there are now of each (subscription, state) that this changed."""
        before = self._states.pop((subscription, client), None)
        after = NEXT[before or State.NEW][message]
        self._states[subscription, client] = after
        changed = {(subscription, after): 1}
        if before is not None:
            changed[subscription, before] = changed.get((subscription, before), 0) - 1
        if len(self._states) > self._limit:
            (name, _), gone = self._states.popitem(last=False)
            changed[name, gone] = changed.get((name, gone), 0) - 1
        self._counts.update(changed)
        return {key: self._counts[key] for key, by in changed.items() if by}
