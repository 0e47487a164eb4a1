"""TLS between octets and octets, sans I/O: records are fed as they were read, text is read, and what is to be sent is fetched.

OpenSSL reading a socket itself makes two system calls a record, and many senders write a record a message. What it is fed is read ahead instead;
it copies that, and keeps as much memory as it was ever fed at once.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

RECORD: Final = 16 << 10
"""Octets of text in a TLS record, at most (RFC 8446 section 5.1)."""

FEED: Final = 32 << 10
"""Octets to feed at once, at most: a connection that ever had so many keeps a third more for its life."""


class Records:
    """The server's side of one connection. The end of the stream without close_notify is a normal end.

    tls:    what the handshake came to.
    ended:  whether all has been read that there ever will be.

    Args:
        context: the server's.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming: Final = ssl.MemoryBIO()
        self._outgoing: Final = ssl.MemoryBIO()
        self._failure: ssl.SSLError | None = None
        self.ended = False
        self.tls: Final = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def feed(self, octets: bytes | bytearray) -> None:
        """Add what was read; nothing is the end of the stream."""
        if octets:
            self._incoming.write(octets)
        else:
            self._incoming.write_eof()

    def fetch(self) -> bytes:
        """What is to be sent, once."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def shake_hands(self) -> bool:
        """Whether the handshake is done; else it has to be fed.

        Raises:
            ssl.SSLError: it failed; what tells the peer is to be sent.
        """
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, add: Callable[[bytes], None], most: int) -> int:
        """Give up to `most` octets of text to `add`, by the record: how many; fewer when it has to be fed, or `ended`.

        Raises:
            ssl.SSLError: a record isn't what the keys say; the text before it has been given, and what tells the peer is to be sent.
        """
        left, read = most, self.tls.read
        if self._failure is not None:  # of which OpenSSL tells once
            raise self._failure
        try:
            while left > 0:
                text = read(min(left, RECORD))
                if not text:
                    self.ended = True
                    break
                add(text)
                left -= len(text)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            self.ended = True
        except ssl.SSLError as error:
            self._failure = error
            raise
        return most - left

    def write(self, octets: bytes | bytearray | memoryview) -> None:
        """Encrypt `octets`, to be sent."""
        self.tls.write(octets)

    def close(self) -> None:
        """Say close_notify, to be sent; the peer's isn't waited for."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:  # it hasn't said its own yet; or there was no handshake, or it failed
            return
