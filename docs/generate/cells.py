"""Code in a table's cell, as GitHub and the site both read it: they differ on a bar within backticks, so code with one is written as HTML."""

from __future__ import annotations

from html import escape


def code(text: str) -> str:
    """`text`, as code."""
    return f"<code>{escape(text, quote=False).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def plain(text: str) -> str:
    """Prose, whose bars would end the cell."""
    return text.replace("|", "&#124;")
