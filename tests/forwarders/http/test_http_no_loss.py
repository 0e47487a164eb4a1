"""The delivery loop over every profile: whatever status its server thinks of, every record ends there or among the dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import structlog
import trio
import trio.testing
import trustme
from support.batches import batch_of, spool_in, submissions
from support.elastic_fake import API_KEY, ElasticFake, problem
from support.hec_fake import TOKEN, HecFake
from support.hec_fake import said as hec_said
from support.http_peer import Asked, Reply, http_peer
from support.sentinel_fake import CLIENT, RULE, SECRET, TENANT, SentinelFake

from forwarders.common_settings import RetrySettings
from forwarders.delivery import Delivery
from forwarders.destination import Destination
from forwarders.http.elastic import ElasticDestination
from forwarders.http.elastic_settings import ElasticSettings
from forwarders.http.hec import HecDestination
from forwarders.http.hec_settings import HecSettings
from forwarders.http.ndjson import NdjsonDestination
from forwarders.http.ndjson_settings import NdjsonSettings
from forwarders.http.sentinel import make_sentinel
from forwarders.http.sentinel_settings import SentinelSettings
from pipeline.condition import State
from pipeline.metrics import Metrics
from pipeline.spool.letters import scan_letters
from pipeline.spool.settings import Consumer, Start

RECORDS = 16
POISON = 7
RETRY = RetrySettings(first=0.2, longest=0.2, timeout=600.0)
STATUSES = [*(int(status) for status in HTTPStatus if status >= 200), 299, 399, 499, 599]


@pytest.fixture
def quick_clock() -> trio.testing.MockClock:
    """Pauses of the loop pass 50 times as fast; what really takes time has 12 s for an attempt."""
    return trio.testing.MockClock(rate=50)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@dataclass
class Profile:
    """A server: what it does first, and the records that it has at the end.

    scripted:  replies to the first requests for records.
    taken:     statuses that say that records were taken.
    """

    scripted: list[Reply | None] = field(default_factory=list)
    refuses: Callable[[bytes], bool] = lambda _: False
    bodies: list[bytes] = field(default_factory=list)
    taken: frozenset[int] = frozenset({200, 201, 202, 203, 204, 205})
    authority: str = ""

    def answer(self, asked: Asked) -> Reply:
        reply = self.scripted.pop(0) if self.scripted else None
        if self.refuses(asked.body):
            return Reply(400, b"no such record")
        reply = reply or Reply(200)
        if reply.status in self.taken:
            self.bodies.append(asked.body)
        return reply

    def names(self) -> set[int]:
        return {orjson.loads(line)["name"] for body in self.bodies for line in body.splitlines()}

    def destination(self, url: str) -> Destination:
        return NdjsonDestination(NdjsonSettings.model_validate(self.table(url, "ndjson")), clock=lambda: 0.0)

    def table(self, url: str, profile: str) -> dict[str, Any]:
        return {"name": "d", "kind": "http", "profile": profile, "url": url, "retry": RETRY, "tls": {"ca": [self.authority]}}


@dataclass
class Splunk(Profile):
    fake: HecFake = field(default_factory=lambda: HecFake(slow=1))
    taken: frozenset[int] = frozenset()

    def answer(self, asked: Asked) -> Reply:
        if asked.path.endswith("/event"):
            if self.refuses(asked.body):
                return hec_said(6, **{"invalid-event-number": 0})
            self.fake.scripted[:] = [self.scripted.pop(0) if self.scripted else None]
        return self.fake.answer(asked)

    def names(self) -> set[int]:
        return {_name(envelope["event"]) for envelope in self.fake.events}

    def destination(self, url: str) -> Destination:
        settings = HecSettings.model_validate(self.table(url, "splunk-hec") | {"token": TOKEN.encode()})
        return HecDestination(settings, clock=lambda: 0.0, new_channel=lambda: UUID(int=1))


@dataclass
class Elastic(Profile):
    fake: ElasticFake = field(default_factory=ElasticFake)
    taken: frozenset[int] = frozenset()

    def answer(self, asked: Asked) -> Reply:
        if asked.path.endswith("/_bulk"):
            self.fake.replies[:] = [self.scripted.pop(0) if self.scripted else None]
            self.fake.scripted[:] = [400 if self.refuses(line) else None for line in asked.body.splitlines()[1::2]]
        return self.fake.answer(asked)

    def names(self) -> set[int]:
        return {_name(document) for document in self.fake.documents()}

    def destination(self, url: str) -> Destination:
        table = self.table(url, "elastic") | {"api_key": API_KEY.encode(), "encoding": "ocsf"}
        return ElasticDestination(ElasticSettings.model_validate(table), clock=lambda: 0.0)


@dataclass
class Sentinel(Profile):
    fake: SentinelFake = field(default_factory=SentinelFake)
    taken: frozenset[int] = frozenset({204})

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("/dataCollectionRules/"):
            if self.refuses(asked.body):
                return problem(400, "InvalidPayload", "no such record")
            step = self.scripted.pop(0) if self.scripted else None
            self.fake.scripted[:] = [None if step is not None and step.status == 204 else step]
        return self.fake.answer(asked)

    def names(self) -> set[int]:
        return {_name(row["Record"]) for rows in self.fake.rows.values() for row in rows}

    def destination(self, url: str) -> Destination:
        identity = {"tenant": TENANT, "client_id": CLIENT, "secret": SECRET.encode(), "authority": url}
        table = self.table(url, "sentinel") | {"rule": RULE, "identity": identity, "encoding": "ocsf"}
        return make_sentinel(SentinelSettings.model_validate(table), clock=lambda: 1_700_000_000.0, environ={}, new_id=lambda: UUID(int=1))


PROFILES = [Profile, Splunk, Elastic, Sentinel]


def _name(record: Any) -> int:
    return int(record["name"])


def contains(name: int, octets: bytes) -> bool:
    return b'"name":%d,' % name in octets


async def delivered(profile: Profile, folder: Path, until: State | None = None) -> list[str]:
    """Deliver everything, or until the destination has come to a state; the reasons of dead letters."""
    profile.authority = str(folder / "ca.pem")  # every attempt after a failure reads it, and the system's are many
    trustme.CA().cert_pem.write_to_path(profile.authority)
    metrics = Metrics()
    spool = spool_in(folder, [Consumer("d", Start.BEGINNING)], metrics=metrics)
    await spool.commit(submissions(batch_of(range(RECORDS))))
    async with http_peer(profile.answer) as peer, trio.open_nursery() as nursery:
        destination = profile.destination(peer.url)
        delivery = Delivery("d", spool, destination, wants=None, retry=RETRY, metrics=metrics, log=structlog.get_logger(), random=lambda: 1.0)
        if until is None:
            delivery.finish()
            await delivery.run()
        else:
            nursery.start_soon(delivery.run)
            with trio.fail_after(3000):
                while delivery.condition.state is not until:  # noqa: ASYNC110 - a condition is no event
                    await trio.sleep(1)
            nursery.cancel_scope.cancel()
    await spool.flush()
    letters = [letter.reason for letter in scan_letters(spool._files.reader)]
    assert metrics.value("tidegate_delivered_total", destination="d") + len(letters) == (RECORDS if until is None else 0)
    await spool.close()
    return letters


@pytest.mark.parametrize("kind", PROFILES)
async def test_no_status_destroys_a_record(kind: type[Profile], tmp_path: Path, quick_clock: trio.testing.MockClock) -> None:
    assert quick_clock
    profile = kind(scripted=[Reply(status, b"" if status in (204, 304) else b"because") for status in STATUSES if status not in kind.taken])
    assert await delivered(profile, tmp_path) == []
    assert profile.names() == set(range(RECORDS))
    assert not profile.scripted


@pytest.mark.parametrize("kind", PROFILES)
async def test_a_record_that_is_refused_is_kept_and_holds_nobody_up(kind: type[Profile], tmp_path: Path, quick_clock: trio.testing.MockClock) -> None:
    assert quick_clock
    profile = kind(refuses=partial(contains, POISON))
    assert len(await delivered(profile, tmp_path)) == 1
    assert profile.names() == set(range(RECORDS)) - {POISON}


@pytest.mark.parametrize("kind", PROFILES)
async def test_a_server_that_refuses_everything_is_at_fault(kind: type[Profile], tmp_path: Path, quick_clock: trio.testing.MockClock) -> None:
    assert quick_clock
    profile = kind(refuses=lambda _: True)
    assert await delivered(profile, tmp_path, until=State.REFUSING) == []
    assert not profile.names()


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("status", [301, 401, 403, 404, 407])
async def test_a_server_that_denies_us_gets_nothing_and_costs_nothing(
    kind: type[Profile], status: int, tmp_path: Path, quick_clock: trio.testing.MockClock
) -> None:
    assert quick_clock
    profile = kind(scripted=[Reply(status, b"because")] * 10_000)
    assert await delivered(profile, tmp_path, until=State.DENIED) == []
    assert not profile.names()
