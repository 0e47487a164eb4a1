"""A request that has arrived whole, and what answers it."""

from __future__ import annotations

from dataclasses import dataclass

from wire.http_rules import Head


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its content.

    head:  method, target and fields.
    body:  the content as it was on the wire, of `head.length` octets.
    """

    head: Head
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Date, Content-Length and Connection are the server's to add.

    status:  200 to 599.
    body:    its content; none with 204 and 304.
    fields:  (name, value) of further fields.
    close:   whether the connection ends with it.
    """

    status: int
    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()
    close: bool = False
