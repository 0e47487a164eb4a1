"""A stream under TLS, at the server's end: its handshake is made in a thread, and it is read by as many records as have come.

trio.SSLStream makes handshakes on the event loop, where those of all clients that come back at once behind a restart stand before everything else; it hands
out one record a call; and a client that it turns away isn't told why.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

import trio

from listeners.tls_records import FEED, RECORD, Records


class TlsStream(trio.abc.Stream):
    """A stream for one task. The end without close_notify is a normal end, and the peer's close_notify isn't waited for: HTTP says where a message ends.

    Args:
        stream: beneath; closed with this one.
        context: the server's.
        threads: in which handshakes are made.
    """

    def __init__(self, stream: trio.abc.Stream, context: ssl.SSLContext, threads: trio.CapacityLimiter) -> None:
        self._stream: Final = stream
        self._records: Final = Records(context)
        self._threads: Final = threads
        self._broken = False

    @property
    def tls(self) -> ssl.SSLObject:
        """What the handshake came to."""
        return self._records.tls

    async def shake_hands(self) -> None:
        """Before anything else.

        Raises:
            trio.BrokenResourceError: it failed, by what is its cause; or the stream broke.
        """
        done = False
        while not done:
            self._records.feed(await self._stream.receive_some(RECORD))
            try:
                done = await trio.to_thread.run_sync(self._records.shake_hands, limiter=self._threads)
            except ssl.SSLError as error:
                with contextlib.suppress(trio.BrokenResourceError):  # what tells the peer why
                    await self._flush()
                raise trio.BrokenResourceError from error
            await self._flush()

    async def receive_some(self, max_bytes: int | None = None) -> bytearray:
        text = bytearray()
        try:
            while not self._records.read(text.extend, max_bytes or RECORD) and not self._records.ended:
                await self._flush()  # a peer may change keys at any time, which is answered (RFC 8446 section 4.6.3)
                self._records.feed(await self._stream.receive_some(FEED))
        except ssl.SSLError as error:
            if not text:
                raise trio.BrokenResourceError from error
        return text

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            self._records.write(data)
        except ssl.SSLError as error:
            raise trio.BrokenResourceError from error
        await self._flush()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        if not self._broken:
            self._records.close()
        try:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._flush()
        finally:
            await self._stream.aclose()

    async def _flush(self) -> None:
        octets = self._records.fetch()
        if octets:
            if self._broken:
                raise trio.BrokenResourceError("a record was left unfinished")
            self._broken = True
            await self._stream.send_all(octets)
            self._broken = False
