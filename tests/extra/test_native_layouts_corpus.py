"""Messages in layouts other than event XML that other projects collected, on both engines."""

from __future__ import annotations

from pathlib import Path

from support.engines import Engines
from support.syslog_corpus import messages


def test_batches_are_equal(extra_corpus: Path) -> None:
    engines, everything = Engines("mdi-current"), Engines("mdi-current", keep_all=True)
    paths = [path for path in (extra_corpus / "corpus" / "syslog").glob("*/*") if path.parent.name != "raw-xml"]
    for path in sorted(paths):
        octets = path.read_bytes()
        for sent in ([octets[:262_144], *octets.split(b"\n")], list(messages(path))):
            engines.agree(sent)
            everything.agree(sent)
