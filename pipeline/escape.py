"""Text for a terminal or a log viewer: what a peer wrote can't obey either."""

from __future__ import annotations


def escape_text(text: str) -> str:
    r"""Whatever `str.isprintable` refuses (controls, separators, bidi marks of CVE-2021-42574, surrogates) as `\xNN` or `\uNNNN`."""
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
