"""Kerberos keytab files: the keys of services, as ktpass, msktutil, Samba and kadmin write them.

The document is MIT krb5's "Keytab file format", version 2 (big-endian):

    05 02, then records: length (int32; negative is a hole of that size, 0 the end of what is used)
    record: count of components (uint16), realm, components (each uint16 length and octets), name type (uint32), timestamp (uint32),
            key version (uint8), encryption type (uint16), key (uint16 length and octets), key version (uint32, where there is room; 0 is none)

Departures: version 1 (05 01, in the byte order of whoever wrote it) is refused; nobody has written it for twenty years.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import MessageError

DOCUMENT: Final = "MIT krb5 keytab file format"
MAGIC: Final = b"\x05\x02"
MAX_COMPONENTS: Final = 16
LENGTH: Final = struct.Struct(">i")
SHORT: Final = struct.Struct(">H")
LONG: Final = struct.Struct(">I")
MIDDLE: Final = struct.Struct(">IIBH")
"""Name type, timestamp, low octet of the key version, encryption type."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one principal.

    components:  of the principal's name: ("HTTP", "gateway.contoso.example").
    realm:       `CONTOSO.EXAMPLE`.
    name_type:   RFC 4120 section 6.2.
    written_at:  seconds since the Unix epoch.
    version:     of the key.
    encryption:  type of the key.
    secret:      the key itself.
    """

    components: tuple[str, ...]
    realm: str
    name_type: int
    written_at: int
    version: int
    encryption: int
    secret: bytes = field(repr=False)

    @property
    def service(self) -> str:
        """`HTTP/gateway.contoso.example`."""
        return "/".join(self.components)


def parse_keytab(octets: bytes) -> tuple[Key, ...]:
    """All keys of a keytab, in order.

    Raises:
        MessageError: `keytab-version`, `keytab-truncated`, `keytab-name`.
    """
    if octets[:2] != MAGIC:
        raise MessageError("keytab-version", document=DOCUMENT, detail=octets[:2].hex(" "))
    at, keys = len(MAGIC), list[Key]()
    while len(octets) - at >= LENGTH.size:
        (length,) = LENGTH.unpack_from(octets, at)
        at += LENGTH.size
        if not length:
            break
        if abs(length) > len(octets) - at:
            raise MessageError("keytab-truncated", offset=at, document=DOCUMENT)
        if length > 0:
            keys.append(_parse_record(octets, at, at + length))
        at += abs(length)
    return tuple(keys)


def _parse_record(octets: bytes, at: int, end: int) -> Key:
    start = at

    def fixed(form: struct.Struct) -> tuple[int, ...]:
        nonlocal at
        if end - at < form.size:
            raise MessageError("keytab-truncated", offset=start, document=DOCUMENT)
        found = form.unpack_from(octets, at)
        at += form.size
        return found

    def counted() -> bytes:
        nonlocal at
        (length,) = fixed(SHORT)
        if end - at < length:
            raise MessageError("keytab-truncated", offset=start, document=DOCUMENT)
        at += length
        return octets[at - length : at]

    (count,) = fixed(SHORT)
    if not 0 < count <= MAX_COMPONENTS:
        raise MessageError("keytab-name", offset=start, document=DOCUMENT)
    try:
        realm, *components = (counted().decode() for _ in range(count + 1))
    except UnicodeDecodeError:
        raise MessageError("keytab-name", offset=start, document=DOCUMENT) from None
    name_type, written_at, version, encryption = fixed(MIDDLE)
    secret = counted()
    if end - at >= LONG.size:
        version = fixed(LONG)[0] or version
    return Key(tuple(components), realm, name_type, written_at, version, encryption, secret)


def encode_keytab(keys: Iterable[Key]) -> bytes:
    """A keytab of these keys, as `parse_keytab` reads it."""
    return MAGIC + b"".join(LENGTH.pack(len(record)) + record for record in map(_encode_record, keys))


def _encode_record(key: Key) -> bytes:
    def counted(content: bytes) -> bytes:
        return SHORT.pack(len(content)) + content

    names = b"".join(counted(name.encode()) for name in (key.realm, *key.components))
    middle = MIDDLE.pack(key.name_type, key.written_at, key.version & 0xFF, key.encryption)
    return SHORT.pack(len(key.components)) + names + middle + counted(key.secret) + LONG.pack(key.version)
