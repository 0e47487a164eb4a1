"""UDP: an answer leaves behind the receipt and not before, once for every time it is asked for, from the address that was asked."""

from __future__ import annotations

import pytest
import trio
from support.radius_listening import LISTENER, SECRET, heard, keep_packets, nas, radius_listening, radius_settings, request, silent

from listeners.datagrams import LARGE_OCTETS
from listeners.radius.datagrams import BURSTS
from listeners.radius.serve import TURN
from pipeline.errors import SpoolError
from pipeline.model import Batch, Frames, Transport
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_accounting_request, encode_status_server, verify_response
from wire.radius.packet import Code

PROXY_STATE = 33


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_what_is_kept_is_answered(host: str) -> None:
    async with radius_listening(radius_settings({"addresses": [f"{host}:0"]})) as listener:
        asked = request(1, Attribute(PROXY_STATE, b"one"), Attribute(PROXY_STATE, b"two"))
        with nas(listener.address()) as client:
            await client.send(asked)
            answer = verify_response(await heard(client), asked, SECRET)
        assert (answer.code, answer.values(PROXY_STATE)) == (Code.ACCOUNTING_RESPONSE, (b"one", b"two"))
        assert listener.intake.packets == [asked]
        origin = listener.intake.batches[0].origin
        assert (origin.listener, origin.transport, origin.peer, origin.identity) == (LISTENER, Transport.UDP, host.strip("[]"), "vpn1")
        await listener.counts("radius_answered", "request", {"accounting": 1})


async def test_no_answer_before_the_receipt() -> None:
    async with radius_listening() as listener:
        listener.intake.holds = True
        with nas(listener.address()) as client:
            await client.send(request(1))
            await listener.intake.arrived(1)
            await trio.testing.wait_all_tasks_blocked()
            assert silent(client)
            listener.intake.settle()
            await heard(client)


async def test_what_could_not_be_kept_is_not_answered() -> None:
    async with radius_listening() as listener:
        listener.intake.holds = True
        with nas(listener.address()) as client:
            await client.send(request(1))
            await listener.intake.arrived(1)
            listener.intake.settle(SpoolError("spool", "closed"))
            await listener.counts("radius_unanswered", "reason", {"spool": 1})
            listener.intake.holds = False
            await client.send(request(2))
            assert (await heard(client))[1] == 2


async def test_what_is_rejected_is_kept_as_such_and_not_answered() -> None:
    async with radius_listening() as listener:
        without = encode_accounting_request(2, (Attribute(44, b"session"),), SECRET)
        with nas(listener.address()) as client:
            await client.send(without)
            await client.send(request(3))
            assert (await heard(client))[1] == 3
        assert [reject.raw for batch in listener.intake.batches for reject in batch.rejects] == [without]
        assert listener.counted("radius_unanswered", "reason") == {"rejected": 1}


async def test_a_retransmission_is_answered_again_and_has_the_same_key() -> None:
    async with radius_listening() as listener:
        listener.intake.holds = True
        first, again, other = request(1), request(1), request(1, Attribute(41, (5).to_bytes(4)))
        with nas(listener.address()) as client, nas(listener.address()) as elsewhere:
            for sock, packet in ((client, first), (client, again), (client, other), (elsewhere, first)):
                await sock.send(packet)
                await listener.intake.arrived(len(listener.intake.packets) + 1)
            keys = [batch.aliases for batch in listener.intake.batches]
            assert keys[0] == keys[1]
            assert len({*keys}) == 3
            listener.intake.settle()
            assert [(await heard(client))[1] for _ in range(3)] == [1, 1, 1]
            await heard(elsewhere)


async def test_a_burst_is_handed_on_peer_by_peer() -> None:
    async with radius_listening() as listener:
        address = listener.address()
        with nas(address) as first, nas(address, "127.0.0.2") as second, nas(address, "127.0.0.3") as third:
            listener.intake.close()
            await third.send(request(0))
            await listener.intake.until(lambda: listener.intake.waiting == 1)
            for number in range(100):
                await first.send(request(number))
                await second.send(request(number))
            listener.intake.open.set()
            await listener.intake.arrived(201)
            for client in (first, second):
                assert {(await heard(client))[1] for _ in range(100)} == set(range(100))
        batches = [(batch.origin.peer, batch.received) for batch in listener.intake.batches]
        of = {peer: [received for found, received in batches if found == peer] for peer in ("127.0.0.3", "127.0.0.1", "127.0.0.2")}
        assert of == {"127.0.0.3": [1], "127.0.0.1": [TURN, TURN, TURN, 4], "127.0.0.2": [TURN, TURN, TURN, 4]}


async def test_looking_in_vain_behind_large_bursts_costs_none_of_the_bursts_that_may_wait() -> None:
    requests = [request(number, Attribute(PROXY_STATE, bytes(250))) for number in range(60)]
    assert sum(map(len, requests)) > LARGE_OCTETS
    async with radius_listening() as listener:
        with nas(listener.address()) as client:
            for _ in range(2 * BURSTS):
                listener.intake.close()
                for asked in requests:
                    await client.send(asked)
                listener.intake.open.set()
                assert {(await heard(client))[1] for _ in requests} == set(range(len(requests)))


async def test_a_full_spool_makes_it_silent_and_what_waits_is_answered_afterwards() -> None:
    async with radius_listening() as listener:
        listener.intake.close()
        with nas(listener.address()) as client:
            await client.send(request(1))
            await listener.intake.until(lambda: listener.intake.waiting == 1)
            for number in range(2, 50):
                await client.send(request(number))
            await trio.testing.wait_all_tasks_blocked()
            assert (listener.intake.waiting, listener.intake.packets) == (1, [])
            listener.intake.open.set()
            assert {(await heard(client))[1] for _ in range(49)} == set(range(1, 50))


@pytest.mark.parametrize("host", ["127.0.0.5", "::1"])
async def test_an_answer_comes_from_the_address_that_was_asked(host: str) -> None:
    wildcard = "[::]:0" if ":" in host else "0.0.0.0:0"
    async with radius_listening(radius_settings({"addresses": [wildcard]})) as listener:
        with nas((host, listener.address()[1]), "127.0.0.9" if ":" not in host else "") as client:
            await client.send(request(1))
            assert (await heard(client))[1] == 1


async def test_status_server_is_answered_at_once_while_the_spool_takes_records_in() -> None:
    async with radius_listening() as listener:
        asked = encode_status_server(7, bytes(range(16)), SECRET)
        with nas(listener.address()) as client:
            await client.send(asked)
            assert verify_response(await heard(client), asked, SECRET).code == Code.ACCOUNTING_RESPONSE
            listener.alive = False
            await client.send(asked)
            await listener.counts("radius_unanswered", "reason", {"spool": 1})
        await listener.intake.until(lambda: len(listener.intake.batches) == 2)
        assert listener.counted("radius_answered", "request") == {"status": 1}
        assert [(batch.received, batch.control) for batch in listener.intake.batches] == [(1, 1), (1, 1)]


async def test_strangers_and_forgers_meet_silence_and_are_counted() -> None:
    clients = [
        {"name": "vpn1", "cidr": "127.0.0.1", "secret": SECRET},
        {"name": "strict", "cidr": ["127.0.0.4/30"], "secret": SECRET, "require_message_authenticator": True},
    ]
    async with radius_listening(radius_settings({"clients": clients})) as listener:
        address = listener.address()
        with nas(address) as client, nas(address, "127.0.0.2") as stranger, nas(address, "127.0.0.6") as strict:
            good = request(1)
            await stranger.send(good)
            for wrong in (good[:-1], good[:19], b"", b"\x01" + good[1:], good[:-1] + b"!", request(1, secret=b"another secret altogether")):
                await client.send(wrong)
            await strict.send(good)
            await strict.send(request(2, message_authenticator=True))
            assert (await heard(strict))[1] == 2
            await client.send(good + b"padding")
            assert (await heard(client))[1] == 1
        assert listener.intake.packets[-1] == good
        assert listener.counted("radius_dropped", "reason") == {
            "unknown-client": 1,
            "radius-short": 3,
            "radius-code": 1,
            "radius-authenticator": 2,
            "radius-no-message-authenticator": 1,
        }
        assert listener.counted("radius_dropped", "client") == {"": 1, "vpn1": 6, "strict": 1}
        assert {reject.rule for reject in listener.remembered} == set(listener.counted("radius_dropped", "reason"))


async def test_a_drain_answers_what_the_kernel_has_taken() -> None:
    async with radius_listening() as listener:
        listener.intake.close()
        with nas(listener.address()) as client:
            for number in range(200):
                await client.send(request(number))
            listener.stop.set()
            listener.intake.open.set()
            await listener.drained()
            assert len([await heard(client) for _ in range(200)]) == 200
        assert len(listener.intake.packets) == 200


async def test_a_packet_that_the_normalizer_stumbles_over_harms_no_other() -> None:
    def stumble(frames: Frames, vendor: str) -> Batch:
        if any(b"session-2" in frames.buffer[start:end] for start, end in frames.pairs()):
            raise ZeroDivisionError
        return keep_packets(frames, vendor)

    async with radius_listening(normalize=stumble, faults=True) as listener:
        listener.intake.close()
        with nas(listener.address()) as client:
            for number in (0, 1, 2, 3):
                await client.send(request(number))
            listener.intake.open.set()
            assert {(await heard(client))[1] for _ in range(3)} == {0, 1, 3}
