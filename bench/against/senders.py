"""The load: whole files over TCP, datagrams and RADIUS requests by sendmmsg(2), as cheaply as one process can.

sendmmsg and recvmmsg are called through ctypes over arrays that are built once, so that sending a message costs a system call's share
and no Python.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workload import LENGTH

BATCH: Final = 64
READ: Final = 1 << 20
IDENTIFIERS: Final = 256
"""How many requests of one source address and port can be told apart (RFC 2865 section 3)."""
RETRY_S: Final = 2.0
MSG_DONTWAIT: Final = 0x40
BUFFER_OCTETS: Final = 8 << 20

libc: Final = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


class IoVec(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class MsgHdr(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(IoVec)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class MMsgHdr(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", MsgHdr), ("length", ctypes.c_uint))


class Datagrams:
    """All datagrams of a file, ready to be sent."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self._buffer = (ctypes.c_char * len(data)).from_buffer_copy(data)
        base = ctypes.addressof(self._buffer)
        spans: list[tuple[int, int]] = []
        at = 0
        while at < len(data):
            (length,) = LENGTH.unpack_from(data, at)
            spans.append((base + at + LENGTH.size, length))
            at += LENGTH.size + length
        self.spans = spans
        self._vectors = (IoVec * len(spans))(*(IoVec(*span) for span in spans))
        self._messages = (MMsgHdr * len(spans))()
        for vector, message in zip(self._vectors, self._messages, strict=True):
            message.header.vectors = ctypes.pointer(vector)
            message.header.vector_count = 1

    def __len__(self) -> int:
        return len(self.spans)

    def send(self, sock: socket.socket, first: int, count: int) -> int:
        """Send `count` from number `first` on; how many were."""
        at = ctypes.byref(self._messages, first * ctypes.sizeof(MMsgHdr))
        sent = libc.sendmmsg(sock.fileno(), at, count, 0)
        if sent < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        return int(sent)


def send_stream(path: Path, port: int) -> None:
    """A file over one TCP connection."""
    data = path.read_bytes()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass


def send_datagrams(datagrams: Datagrams, port: int, *, rate: int | None) -> float:
    """All datagrams, paced to `rate` a second or as fast as they go; seconds it took."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        start, sent = time.monotonic(), 0
        while sent < len(datagrams):
            sent += datagrams.send(sock, sent, min(BATCH, len(datagrams) - sent))
            if rate and (early := sent / rate - (time.monotonic() - start)) > 0:
                time.sleep(early)
        return time.monotonic() - start


def ask_accounting(datagrams: Datagrams, port: int, window: int) -> tuple[int, int]:
    """Every request until it is answered, `window` of them unanswered at a time; how many were answered, and sent again."""
    sockets, size = max(1, window // IDENTIFIERS), min(window, IDENTIFIERS)
    lanes = [_Lane(datagrams, range(lane * size, len(datagrams), sockets * size), size, port) for lane in range(sockets)]
    running = list(lanes)
    while running:
        running = [lane for lane in running if lane.turn()]
    return sum(lane.answered for lane in lanes), sum(lane.again for lane in lanes)


class _Lane:
    """One socket: blocks of consecutive requests (no more than there are Identifiers), each sent once the one before is answered."""

    def __init__(self, datagrams: Datagrams, blocks: range, size: int, port: int) -> None:
        self._datagrams, self._blocks, self._size = datagrams, iter(blocks), size
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
        self._sock.connect(("127.0.0.1", port))
        self._sock.settimeout(0.002)
        self._missing: set[int] = set()
        self._first, self._since = 0, 0.0
        self.answered = self.again = 0

    def turn(self) -> bool:
        """Take answers, send the next block when the last one is complete; False once all are answered."""
        if not self._missing and not self._next():
            self._sock.close()
            return False
        for answer in self._answers():
            if answer[0] == 5 and answer[1] in self._missing:  # Accounting-Response  # noqa: PLR2004 - RFC 2866 section 4.2
                self._missing.discard(answer[1])
                self.answered += 1
        if self._missing and time.monotonic() - self._since > RETRY_S:
            for identifier in sorted(self._missing):
                self._datagrams.send(self._sock, self._first + (identifier - self._first) % IDENTIFIERS, 1)
                self.again += 1
            self._since = time.monotonic()
        return True

    def _next(self) -> bool:
        self._first = next(self._blocks, -1)
        if self._first < 0:
            return False
        count = min(self._size, len(self._datagrams) - self._first)
        self._missing = {number % IDENTIFIERS for number in range(self._first, self._first + count)}
        self._since, sent = time.monotonic(), 0
        while sent < count:
            sent += self._datagrams.send(self._sock, self._first + sent, min(BATCH, count - sent))
        return True

    def _answers(self) -> Iterator[bytes]:
        try:
            yield self._sock.recv(4096)
            while True:
                yield self._sock.recv(4096, MSG_DONTWAIT)
        except (TimeoutError, BlockingIOError):
            return
