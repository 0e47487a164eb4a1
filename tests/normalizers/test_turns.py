"""How much of a buffer an engine is given at a time: much while it is quick, little while it isn't."""

from __future__ import annotations

from array import array
from pathlib import Path

from normalizers.native import NATIVE_TURN, NativeNormalizer
from normalizers.normalizer import REFERENCE_TURN, Normalizer
from pipeline.model import Frames, Origin, Transport

SURE = (Path(__file__).parents[2] / "fixtures" / "events" / "4726.xml").read_bytes().strip()
UNSURE = b"<Event>" + SURE[SURE.index(b"<System") :].replace(b"</System>", b"<!-- a comment --></System>")


def frames(message: bytes, count: int) -> Frames:
    spans = array("I", (offset for number in range(count) for offset in (number * len(message), (number + 1) * len(message))))
    return Frames(message * count, spans, Origin("listeners.syslog", Transport.TCP, "192.0.2.1", 0))


def test_the_reference_engine_gets_little() -> None:
    assert Normalizer().turn_octets == REFERENCE_TURN


def test_the_kernel_gets_much_until_it_leaves_much_and_then_again() -> None:
    normalizer = NativeNormalizer()
    assert normalizer.turn_octets == NATIVE_TURN
    normalizer.normalize(frames(UNSURE, 4))
    assert normalizer.left == 4
    assert normalizer.turn_octets == REFERENCE_TURN
    for _ in range(40):
        normalizer.normalize(frames(SURE, 4))
    assert normalizer.turn_octets == NATIVE_TURN
