"""SLDC as Windows wrote it, and as another implementation did."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel import Engine
from pipeline.errors import MessageError
from wire import sldc

LIMIT = 2 << 20


def octets(path: Path) -> bytes:
    return bytes.fromhex(path.read_text())


@pytest.fixture
def vectors(extra_corpus: Path) -> Path:
    return extra_corpus / "vectors" / "wef"


@pytest.mark.parametrize("engine", list(Engine))
def test_the_captured_heartbeat_is_an_envelope(vectors: Path, engine: Engine) -> None:
    content = sldc.decode_body(octets(vectors / "04-heartbeat-request.sldc.hex"), LIMIT, engine)
    assert len(content) == 3042
    assert content.decode("utf-16").startswith("<s:Envelope ")
    assert content.decode("utf-16").endswith("</s:Envelope>")
    assert sldc.decode_body(sldc.encode(content), LIMIT, engine) == content


@pytest.mark.parametrize("engine", list(Engine))
def test_a_stream_of_scheme_2(vectors: Path, engine: Engine) -> None:
    assert sldc.decode_body(octets(vectors / "sldc-scheme2-test-string.hex"), LIMIT, engine) == b"test string"


def test_every_captured_envelope_comes_back_smaller(vectors: Path) -> None:
    for path in sorted(vectors.glob("0*.xml")):
        content = b"\xff\xfe" + path.read_text().encode("utf-16-le")
        data = sldc.encode(content)
        assert sldc.decode_body(data, len(content)) == content
        assert len(data) < len(content) * 0.6, path.name


def test_every_damage_to_the_captured_heartbeat_is_met_alike(vectors: Path) -> None:
    whole = octets(vectors / "04-heartbeat-request.sldc.hex")
    for bit in range(0, len(whole) * 8, 23):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        outcomes = set[object]()
        for engine in Engine:
            try:
                outcomes.add(sldc.decode_body(bytes(damaged), LIMIT, engine))
            except MessageError as error:
                outcomes.add((error.rule, error.offset))
        assert len(outcomes) == 1, bit
