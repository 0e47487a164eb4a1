"""The bound on bodies in flight: never exceeded, never leaked, in order, and one address' wait holds nobody else up."""

from __future__ import annotations

import random
from collections import Counter

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from listeners.http.budget import BodyBudget

LIMIT, SHARE = 100, 40


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, SHARE), st.integers(1, 5), st.integers(1, 9)), max_size=25), st.randoms())
async def test_it_is_never_exceeded_and_everything_comes_back(wishes: list[tuple[str, int, int, int]], chance: random.Random) -> None:
    budget, held, clock = BodyBudget(LIMIT, SHARE), Counter[str](), 0

    async def wish(peer: str, octets: int, turns: int, patience: int) -> None:
        with trio.CancelScope() as scope:
            impatient.append((clock + patience, scope))
            await budget.reserve(peer, octets)
            held[peer] += octets
            assert held[peer] <= SHARE
            assert held.total() <= budget.octets <= LIMIT
            with trio.CancelScope(shield=True):
                for _ in range(turns):
                    await trio.testing.wait_all_tasks_blocked()
            held[peer] -= octets
            budget.release(peer, octets)

    impatient = list[tuple[int, trio.CancelScope]]()
    async with trio.open_nursery() as nursery:
        for each in wishes:
            nursery.start_soon(wish, *each)
            if chance.random() < 0.5:
                await trio.testing.wait_all_tasks_blocked()
            clock += 1
            for at, scope in impatient:
                if at <= clock:
                    scope.cancel()
        for _, scope in impatient:
            scope.cancel()
    assert budget.octets == 0
    await budget.reserve("a", SHARE)
    assert budget.octets == SHARE


async def hold(budget: BodyBudget, peer: str, octets: int, granted: list[str]) -> None:
    await budget.reserve(peer, octets)
    granted.append(peer)


async def test_a_wait_for_ones_own_share_holds_nobody_else_up() -> None:
    budget, granted = BodyBudget(LIMIT, SHARE), list[str]()
    async with trio.open_nursery() as nursery:
        for peer in ("a", "a", "b"):
            nursery.start_soon(hold, budget, peer, SHARE, granted)
            await trio.testing.wait_all_tasks_blocked()
        assert granted == ["a", "b"]
        budget.release("a", SHARE)
    assert granted == ["a", "b", "a"]


async def test_a_wait_for_the_common_bound_is_in_order_of_arrival() -> None:
    budget, granted = BodyBudget(LIMIT, LIMIT), list[str]()
    await budget.reserve("first", LIMIT)
    async with trio.open_nursery() as nursery:
        for peer, octets in (("large", LIMIT), ("small", 1)):
            nursery.start_soon(hold, budget, peer, octets, granted)
            await trio.testing.wait_all_tasks_blocked()
        assert granted == []
        budget.release("first", LIMIT)
        await trio.testing.wait_all_tasks_blocked()
        assert granted == ["large"], "small ones don't overtake, else large ones would wait for ever"
        budget.release("large", LIMIT)
    assert granted == ["large", "small"]


async def test_who_stops_waiting_makes_room_for_those_behind() -> None:
    budget, granted, patience = BodyBudget(LIMIT, LIMIT), list[str](), trio.CancelScope()

    async def wait_in_vain() -> None:
        with patience:
            await hold(budget, "large", LIMIT, granted)

    await budget.reserve("first", LIMIT - 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_in_vain)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(hold, budget, "small", 1, granted)
        await trio.testing.wait_all_tasks_blocked()
        assert granted == []
        patience.cancel()
    assert (granted, budget.octets) == (["small"], LIMIT)
