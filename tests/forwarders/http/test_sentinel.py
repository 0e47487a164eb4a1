"""The Sentinel destination against an Azure that follows Microsoft's documents: rows in their tables, tokens by every way, and what fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from support.http_peer import Asked, HttpPeer, Reply, http_peer
from support.records import NAMES, fixture_record
from support.sentinel_fake import CLIENT, FEDERATED, MOST, RULE, SECRET, TENANT, SentinelFake, problem, unknown

from forwarders.destination import Delivered
from forwarders.encoders.asim import encode_asim
from forwarders.http.managed_identity import IMDS, find_endpoint
from forwarders.http.sentinel import STATUSES, SentinelDestination, _parts, make_sentinel
from forwarders.http.sentinel_settings import MOST_OCTETS, SentinelSettings
from pipeline.errors import DeliveryError, Fault
from pipeline.index import Entry, Index
from pipeline.spool.row import Row

RECORDS = [fixture_record(name) for name in NAMES]
TABLES = Counter(f"Custom-{encode_asim(record)[0]}" for record in RECORDS)
APPLICATION = {"tenant": TENANT, "client_id": CLIENT, "secret": SECRET.encode()}


def row_of(records: list[dict[str, Any]]) -> Row:
    entries, texts, at = [], [], 0
    for number, record in enumerate(records):
        text = orjson.dumps(record)
        entries.append(Entry(at, at + len(text), number.to_bytes(16), False, 3002, "4776", 1, 1_700_000_000_000 + number, "dc1"))
        texts.append(text + b"\n")
        at += len(text) + 1
    return Row.whole(b"".join(texts), Index.of(entries), 0)


def destination_for(peer: HttpPeer, environ: Mapping[str, str] | None = None, **settings: object) -> SentinelDestination:
    identity, arc_folder = settings.pop("identity", APPLICATION), settings.pop("arc_folder", Path("/nonexistent"))
    assert isinstance(arc_folder, Path)
    assert isinstance(identity, dict)
    authority = {} if identity.get("managed") else {"authority": peer.url}
    table = {"name": "s", "kind": "http", "profile": "sentinel", "url": peer.url, "rule": RULE, "identity": authority | identity, **settings}
    ids = count(1)
    parsed = SentinelSettings.model_validate(table)
    return make_sentinel(parsed, clock=lambda: 1_700_000_000.0, environ=environ or {}, new_id=lambda: UUID(int=next(ids)), arc_folder=arc_folder)


async def outcome(
    fake: SentinelFake, records: list[dict[str, Any]] | None = None, environ: Mapping[str, str] | None = None, **settings: object
) -> tuple[Delivered | DeliveryError, list[Asked]]:
    """What one attempt comes to."""
    async with http_peer(fake.answer) as peer:
        local = {name: value.replace("HERE", peer.url) for name, value in (environ or {}).items()}
        destination = destination_for(peer, local, **settings)
        try:
            await destination.open(b"")
            return await destination.deliver(row_of(records or RECORDS)), peer.asked
        except DeliveryError as error:
            return error, peer.asked
        finally:
            await destination.close()


async def test_rows_go_to_their_tables() -> None:
    fake = SentinelFake()
    found, asked = await outcome(fake)
    assert found == Delivered()
    assert {stream: len(rows) for stream, rows in fake.rows.items()} == TABLES
    assert all("TimeGenerated" in row for rows in fake.rows.values() for row in rows)
    assert len(fake.tokens) == 1
    assert all(UUID(request.headers["x-ms-client-request-id"]) for request in asked[1:])


async def test_streams_of_other_names() -> None:
    fake = SentinelFake()
    await outcome(fake, streams={"WindowsEvent": "Microsoft-WindowsEvent"})
    assert "Microsoft-WindowsEvent" in fake.rows or "Custom-WindowsEvent" not in TABLES
    assert "Custom-WindowsEvent" not in fake.rows


async def test_records_as_they_are() -> None:
    fake = SentinelFake()
    await outcome(fake, encoding="ocsf", stream="Custom-Mine")
    assert [row["Record"] for row in fake.rows["Custom-Mine"]] == RECORDS
    assert fake.rows["Custom-Mine"][1]["TimeGenerated"] == "2023-11-14T22:13:20.001Z"


@pytest.mark.parametrize("compress", [False, True])
async def test_calls_are_never_too_long(compress: object) -> None:
    fake = SentinelFake()
    long = [RECORDS[0] | {"unmapped": {"text": "x" * (300_000 + number)}} for number in range(9)]
    found, asked = await outcome(fake, long, compress=compress)
    assert found == Delivered()
    assert fake.taken() == 9
    assert all(len(request.body) <= MOST_OCTETS <= MOST for request in asked)


async def test_a_row_too_long_for_any_call_is_refused_alone() -> None:
    fake = SentinelFake()
    found, _ = await outcome(fake, [RECORDS[0], RECORDS[0] | {"unmapped": {"text": "x" * MOST}}, RECORDS[1]])
    assert isinstance(found, Delivered)
    assert {place: refusal.reason for place, refusal in found.refused.items()} == {1: "too-large"}
    assert found.again == ()
    assert fake.taken() == 2


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20), st.integers(32, 80))
def test_parts_hold_everything_once_in_order(texts: list[bytes], most: int) -> None:
    parts = list(_parts(list(enumerate(texts)), most))
    assert [place for places, _ in parts for place in places] == list(range(len(texts)))
    assert all(len(body) <= most for _, body in parts)
    assert b",".join(body[1:-1] for _, body in parts) == b",".join(texts)


async def test_what_one_call_took_is_not_sent_again() -> None:
    fake = SentinelFake(scripted=[None, problem(500, "InternalServerError", "try again")])
    found, _ = await outcome(fake)
    assert isinstance(found, Delivered)
    assert not found.refused
    assert len(found.again) == len(RECORDS) - fake.taken() > 0
    left = await outcome(fake, [RECORDS[place] for place in found.again])
    assert left[0] == Delivered()
    assert {stream: len(rows) for stream, rows in fake.rows.items()} == TABLES


@pytest.mark.parametrize("status", [200, 202, 301, 400, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504])
async def test_a_status_decides(status: int) -> None:
    fake = SentinelFake(scripted=[problem(status, "Code", "what Azure says", **{"retry-after": "60"})])
    found, _ = await outcome(fake)
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault, found.retry_after) == (f"http-{status}", STATUSES.fault(status), 60.0)
    assert "what Azure says" in found.detail
    assert "request req-1" in found.detail


def test_nothing_but_204_says_that_rows_were_taken() -> None:
    assert [status for status in range(100, 600) if STATUSES.fault(status) is None] == [204]


async def test_a_role_that_has_not_arrived_costs_no_row() -> None:
    found, _ = await outcome(SentinelFake(role=False))
    assert isinstance(found, DeliveryError)
    assert found.fault is Fault.DENIED
    assert "does not have access to ingest data" in found.detail


async def test_a_stream_that_is_not_declared() -> None:
    found, _ = await outcome(SentinelFake(streams=frozenset()))
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault) == ("http-404", Fault.DENIED)


async def test_a_token_is_kept_and_replaced_once_it_is_not_taken() -> None:
    fake = SentinelFake()
    async with http_peer(fake.answer) as peer:
        destination = destination_for(peer)
        await destination.open(b"")
        for _ in range(3):
            await destination.deliver(row_of(RECORDS[:1]))
        assert len(fake.tokens) == 1
        fake.revoked.add("token-0")
        await destination.deliver(row_of(RECORDS[:1]))
        assert len(fake.tokens) == 2
        fake.revoked.update(f"token-{number}" for number in range(9))
        with pytest.raises(DeliveryError) as caught:
            await destination.deliver(row_of(RECORDS[:1]))
        await destination.close()
    assert (caught.value.reason, caught.value.fault) == ("http-401", Fault.DENIED)
    assert len(fake.tokens) == 3
    assert fake.taken() == 4


async def test_a_token_that_is_never_good_is_asked_for_each_time() -> None:
    fake = SentinelFake(lifetime=0)
    assert (await outcome(fake, RECORDS[:1]))[0] == Delivered()
    assert len(fake.tokens) == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    issued = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("app.contoso.example", key_type=trustme.KeyType.RSA)
    folder = tmp_path_factory.mktemp("application")
    issued.cert_chain_pems[0].write_to_path(str(folder / "app.pem"))
    issued.private_key_pem.write_to_path(str(folder / "app.key"))
    return folder / "app.pem", folder / "app.key"


async def test_signing_in_with_a_certificate(certificate: tuple[Path, Path]) -> None:
    fake = SentinelFake(certificate=x509.load_pem_x509_certificate(certificate[0].read_bytes()))
    identity = {"tenant": TENANT, "client_id": CLIENT, "certificate": str(certificate[0]), "key": str(certificate[1])}
    assert (await outcome(fake, identity=identity))[0] == Delivered()


@pytest.mark.parametrize("wrong", ["no file", "no PEM", "another key", "no RSA key"])
async def test_a_certificate_that_cannot_be_used(certificate: tuple[Path, Path], tmp_path: Path, wrong: str) -> None:
    key = tmp_path / "wrong.key"
    kind = trustme.KeyType.ECDSA if wrong == "no RSA key" else trustme.KeyType.RSA
    if wrong == "no PEM":
        key.write_text("hello")
    elif wrong != "no file":
        trustme.CA().issue_cert("x.contoso.example", key_type=kind).private_key_pem.write_to_path(str(key))
    found, _ = await outcome(SentinelFake(), identity={"tenant": TENANT, "client_id": CLIENT, "certificate": str(certificate[0]), "key": str(key)})
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault) == ("credential-file", Fault.DENIED)


async def test_signing_in_with_a_token_of_another_issuer(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(FEDERATED + "\n")
    assert (await outcome(SentinelFake(), identity={"tenant": TENANT, "client_id": CLIENT, "token_file": str(tmp_path / "token")}))[0] == Delivered()


async def test_a_wrong_secret() -> None:
    found, asked = await outcome(SentinelFake(), identity={**APPLICATION, "secret": b"another"})
    assert isinstance(found, DeliveryError)
    assert (found.reason, found.fault) == ("token-401", Fault.DENIED)
    assert "AADSTS7000215" in found.detail
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (Reply(200, b""), Fault.RETRY),
        (Reply(200, b"[]"), Fault.RETRY),
        (Reply(200, b'{"access_token": 5}'), Fault.RETRY),
        (Reply(200, b'{"access_token": "a\\r\\nb: c"}'), Fault.RETRY),
        (unknown(400, "invalid_grant", "no"), Fault.DENIED),
        (Reply(413), Fault.DENIED),
        (Reply(429), Fault.RETRY),
        (Reply(302, b"", {"location": "https://evil.example"}), Fault.DENIED),
        (Reply(503, b"<html>"), Fault.RETRY),
    ],
)
async def test_no_answer_to_a_sign_in_blames_a_record(reply: Reply, fault: Fault) -> None:
    async with http_peer(lambda _: reply) as peer:
        destination = destination_for(peer)
        with pytest.raises(DeliveryError) as caught:
            await destination.open(b"")
        await destination.close()
    assert caught.value.fault is fault


def test_where_managed_identities_are() -> None:
    assert find_endpoint({}) == (IMDS, {"metadata": "true"}, "2018-02-01", False)
    assert find_endpoint({"IDENTITY_ENDPOINT": "http://h", "IMDS_ENDPOINT": "http://i"}).challenges
    assert find_endpoint({"IDENTITY_ENDPOINT": "http://h", "IDENTITY_HEADER": "x"}).headers == {"x-identity-header": "x"}


MANAGED = {"managed": True}
APP_SERVICE = {"IDENTITY_ENDPOINT": "HERE/msi/token", "IDENTITY_HEADER": "header-secret"}
ARC = {"IDENTITY_ENDPOINT": "HERE/metadata/identity/oauth2/token", "IMDS_ENDPOINT": "http://localhost:40342"}


async def test_app_service() -> None:
    assert (await outcome(SentinelFake(), environ=APP_SERVICE, identity=MANAGED | {"client_id": CLIENT}))[0] == Delivered()


async def test_a_virtual_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SentinelFake()
    async with http_peer(fake.answer) as peer:
        monkeypatch.setattr("forwarders.http.managed_identity.IMDS", peer.url + "/metadata/identity/oauth2/token")
        destination = destination_for(peer, identity=MANAGED)
        await destination.open(b"")
        await destination.close()
    assert len(fake.tokens) == 1


async def test_an_arc_enabled_server(tmp_path: Path) -> None:
    (tmp_path / "1.key").write_text("proof\n")
    assert (await outcome(SentinelFake(arc_key=tmp_path / "1.key"), environ=ARC, identity=MANAGED, arc_folder=tmp_path))[0] == Delivered()


@pytest.mark.parametrize("key", ["/etc/passwd", "{folder}/../x.key", "{folder}/sub/x.key", "{folder}/x.txt", "{folder}/missing.key", "{folder}/long.key"])
async def test_no_other_file_is_shown_to_who_asks(tmp_path: Path, key: str) -> None:
    (tmp_path / "long.key").write_text("x" * 5000)
    (tmp_path / "x.txt").write_text("secret")
    challenge = {"www-authenticate": f"Basic realm={key.format(folder=tmp_path)}"}
    async with http_peer(lambda _: Reply(401, b"", challenge)) as peer:
        destination = destination_for(peer, {name: value.replace("HERE", peer.url) for name, value in ARC.items()}, identity=MANAGED, arc_folder=tmp_path)
        with pytest.raises(DeliveryError) as caught:
            await destination.open(b"")
        await destination.close()
    assert (caught.value.reason, caught.value.fault) == ("token-challenge", Fault.DENIED)
    assert all("authorization" not in asked.headers for asked in peer.asked)


@pytest.mark.parametrize(("status", "fault"), [(404, Fault.RETRY), (410, Fault.RETRY), (429, Fault.RETRY), (500, Fault.RETRY), (400, Fault.DENIED)])
async def test_an_endpoint_that_is_being_updated(status: int, fault: Fault) -> None:
    async with http_peer(lambda _: Reply(status)) as peer:
        destination = destination_for(peer, {"IDENTITY_ENDPOINT": peer.url, "IDENTITY_HEADER": "x"}, identity=MANAGED)
        with pytest.raises(DeliveryError) as caught:
            await destination.open(b"")
        await destination.close()
    assert caught.value.fault is fault
