"""pyrad as a network access server: what it sends is kept, what it hears it believes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
import trio
from pyrad.client import Client as PyradClient
from pyrad.client import Timeout
from pyrad.dictionary import Dictionary
from pyrad.packet import AccountingResponse
from support.radius_listening import PATIENCE, SECRET, RadiusListening, radius_listening, radius_settings

DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE Proxy-State 33 octets
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Message-Authenticator 80 octets
"""


@contextmanager
def nas_of(listener: RadiusListening, secret: bytes = SECRET) -> Iterator[PyradClient]:
    host, port = listener.address()
    client = PyradClient(server=host, acctport=port, secret=secret, dict=Dictionary(StringIO(DICTIONARY)))
    client.retries, client.timeout = 1, PATIENCE
    try:
        yield client
    finally:
        client._CloseSocket()


def account(client: PyradClient, *, signed: bool) -> tuple[bytes, object]:
    """(the packet, the answer that pyrad verified)."""
    packet = client.CreateAcctPacket(User_Name="CONTOSO\\ana", Acct_Status_Type=1, Acct_Session_Id="S1", NAS_IP_Address="192.0.2.1")
    if signed:
        packet.add_message_authenticator()
    answer = client.SendPacket(packet)
    return packet.RequestPacket(), answer


@pytest.mark.parametrize("signed", [False, True])
async def test_pyrad_is_answered_and_believes_it(signed: bool) -> None:  # noqa: FBT001 - a parameter of the table
    given = {"name": "vpn1", "cidr": "127.0.0.1", "secret": SECRET, "require_message_authenticator": signed}
    async with radius_listening(radius_settings({"clients": [given]})) as listener:
        with nas_of(listener) as client:
            packet, answer = await trio.to_thread.run_sync(lambda: account(client, signed=signed))
        assert getattr(answer, "code", None) == AccountingResponse
        assert listener.intake.packets == [packet]


async def test_pyrad_with_another_secret_hears_nothing() -> None:
    async with radius_listening() as listener:
        with nas_of(listener, b"another secret altogether") as client:
            client.timeout = 0.2
            with pytest.raises(Timeout):
                await trio.to_thread.run_sync(lambda: account(client, signed=False))
        assert listener.counted("radius_dropped", "reason") == {"radius-authenticator": 1}
        assert listener.intake.batches == []
