"""The conversation's tables: total, and for every message the deed and status that its standing asks for."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wef_listening import DC1, offered_by_profile, settings

from listeners.wef.conversation import DEEDS, MESSAGES, OUTDATED_LABEL, Conversation, Deed, Standing
from listeners.wef.identity import Identity, NameList
from listeners.wef.settings import Mismatch, Url
from listeners.wef.sources import NEXT, Message, Sources, State
from wire.wef.messages import End, Enumerate, Events, Heartbeat, Reference, Request, SubscriptionEnd
from wire.wef.namespaces import EVENTING, SecurityProfile

STRANGER = Identity("dc9.other.example", "bb:cn=dc9", frozenset({"dc9.other.example"}), DC1.issuer)
OFFERED = offered_by_profile(clients=["*.contoso.example"])


def conversation(mismatch: Mismatch = Mismatch.TAG, clients: tuple[str, ...] = ("*",), subscriptions: tuple[str, ...] = ()) -> Conversation:
    endpoint = settings().endpoints[0].model_copy(update={"clients": clients, "subscriptions": subscriptions})
    return Conversation(endpoint, SecurityProfile.CERTIFICATE, OFFERED, mismatch, NameList([]))


CURRENT = next(offer.references for offer in conversation().offers(DC1, {}) if offer.subscription.name == "identity/Security")
OUTDATED = (CURRENT[0], replace(CURRENT[1], text="00000000-0000-0000-0000-000000000000"))
UNKNOWN = (Reference(EVENTING, "Identifier", "00000000-0000-0000-0000-000000000000"),)

REFERENCES = {"current": CURRENT, "outdated": OUTDATED, "no version": CURRENT[:1], "unknown": UNKNOWN, "no UUID": (replace(UNKNOWN[0], text="x"),)}


def requests(references: tuple[Reference, ...]) -> dict[Message, Request]:
    return {
        Message.ENUMERATE: Enumerate(message_id="uuid:1"),
        Message.HEARTBEAT: Heartbeat(message_id="uuid:1", references=references),
        Message.EVENTS: Events(message_id="uuid:1", references=references),
        Message.SUBSCRIPTION_END: SubscriptionEnd(message_id="uuid:1", references=references),
        Message.END: End(message_id="uuid:1"),
    }


#   message                       current  outdated  no version  unknown  no UUID    (status)
STATUSES = [
    (Message.ENUMERATE,           (200,    200,      200,        200,     200)),
    (Message.HEARTBEAT,           (200,    200,      200,        404,     404)),
    (Message.EVENTS,              (200,    200,      200,        404,     404)),
    (Message.SUBSCRIPTION_END,    (200,    200,      200,        200,     200)),
    (Message.END,                 (204,    204,      204,        204,     204)),
]  # fmt: skip


@pytest.mark.parametrize(("message", "statuses"), STATUSES)
def test_the_status_follows_from_message_and_standing(message: Message, statuses: tuple[int, ...]) -> None:
    decided = [conversation().decide(requests(references)[message], DC1) for references in REFERENCES.values()]
    assert tuple(decision.status for decision in decided) == statuses
    assert {decision.message for decision in decided} == {message}


@pytest.mark.parametrize("message", Message)
def test_who_may_not_speak_here_is_refused_whatever_it_says(message: Message) -> None:
    decision = conversation(clients=("*.tier0.example",)).decide(requests(CURRENT)[message], DC1)
    assert (decision.deed, decision.status) == (Deed.REFUSE, 403)


@pytest.mark.parametrize("message", [Message.HEARTBEAT, Message.EVENTS, Message.SUBSCRIPTION_END])
def test_who_may_not_have_a_subscription_is_refused(message: Message) -> None:
    assert conversation().decide(requests(CURRENT)[message], STRANGER).status == 403
    assert conversation().offers(STRANGER, {}) == []


def test_every_message_has_a_deed_in_every_standing_and_a_state_behind_every_state() -> None:
    assert set(MESSAGES.values()) == set(DEEDS) == set(Message)
    assert all(set(deeds) == set(Standing) for deeds in DEEDS.values())
    assert all(set(NEXT[state]) == set(Message) for state in State)


def test_events_are_believed_as_far_as_their_standing_and_sender_go() -> None:
    old = conversation().decide(requests(OUTDATED)[Message.EVENTS], DC1).trust
    assert (old.labels, old.refuse, old.speaks_for is None) == ((OUTDATED_LABEL,), False, False)
    assert conversation(Mismatch.REFUSE).decide(requests(CURRENT)[Message.EVENTS], DC1).trust.refuse


def test_an_endpoint_hears_its_own_path_and_those_of_deliveries() -> None:
    heard = ["/wsman/subscriptionmanager/wec", "/wsman/subscriptions/1707633E-1960-5B4A-9069-B04031AE8DB2/1", "/tier0", "/", "/wsman"]
    assert [conversation().hears(path) for path in heard] == [True, True, False, False, False]
    endpoint = settings().endpoints[0].model_copy(update={"url": Url("https", "gateway.contoso.example", 5986, "/Tier0")})
    assert Conversation(endpoint, SecurityProfile.CERTIFICATE, OFFERED, Mismatch.TAG, NameList([])).hears("/tier0?x=1")


def test_an_endpoint_offers_what_it_is_told_to() -> None:
    assert conversation(subscriptions=("identity",)).subscriptions(DC1) == [one.subscription.name for one in OFFERED]
    assert conversation(subscriptions=("other",)).subscriptions(DC1) == []


def test_a_version_depends_on_the_issuer_and_not_on_the_bookmark() -> None:
    other = replace(DC1, issuer="b0" * 20)
    first, second, third = (conversation().offers(*arguments)[1] for arguments in ((DC1, {}), (DC1, {"identity/Security": b"<BookmarkList/>"}), (other, {})))
    assert first.version == second.version != third.version
    assert (first.bookmark, second.bookmark) == (b"", b"<BookmarkList/>")


@given(st.lists(st.tuples(st.sampled_from(Message), st.sampled_from(["a", "b", "c"])), max_size=40))
def test_sources_are_counted_by_where_they_stand(heard: list[tuple[Message, str]]) -> None:
    sources, told = Sources(limit=2), dict[tuple[str, State], int]()
    for message, client in heard:
        told |= sources.hear(message, "s", client)
    known = [sources.state("s", client) for client in "abc"]
    present = {client for _, client in heard[-1:]}
    assert sum(told.values()) == min(2, len({client for _, client in heard}))
    assert all(sources.state("s", client) in State for client in present)
    assert {state: count for (_, state), count in told.items() if count and state is not State.NEW}.items() <= {
        state: known.count(state) for state in State
    }.items()


def test_windows_enumerates_while_it_delivers() -> None:
    assert [NEXT[state][Message.ENUMERATE] for state in State] == [State.LISTED, State.LISTED, State.ALIVE, State.ACTIVE, State.LISTED]
    assert all(
        NEXT[state][message] is expected for state, (message, expected) in product(State, ((Message.EVENTS, State.ACTIVE), (Message.HEARTBEAT, State.ALIVE)))
    )
