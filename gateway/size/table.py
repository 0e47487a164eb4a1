"""A table somebody exported, as lines of cells: whatever its encoding, its separator and its quotes, and never more of it than fits memory.

encodings    UTF-8, UTF-16 with a byte order mark (PowerShell), else Windows-1252
separators   , ; or tab, as the first lines have it, or as Excel's `sep=;` says
left out     blank lines; around a performance log, what typeperf says besides
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigError

MAX_FILE: Final = 64 << 20
MAX_LINES: Final = 1_000_000
MAX_LINE: Final = 64 << 10
MAX_COLUMNS: Final = 512
MAX_CELLS: Final = 4_000_000
SEPARATORS: Final = ";\t,"
"""The likelier first: where a comma is the decimal sign, it doesn't separate."""
LOOKED_AT: Final = 20
BLANK: Final = " \t\r\n\u00a0\ufeff"
PERFORMANCE_LOG: Final = "(PDH-CSV"
FIX: Final = "give a table of times and packets per second, as `tidegate size --help` says"
MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

Cells = tuple[str, ...]


class TableError(ConfigError):
    """A table that can't be read, and where: `file, line 12: ...`."""

    def __init__(self, name: str, line: int, why: str, fix: str = FIX) -> None:
        super().__init__(f"{name}, line {line}" if line else name, why, fix)


@dataclass(frozen=True, slots=True)
class Table:
    """Lines of a file; read as often as one likes.

    name:       of the file, for errors.
    lines:      its text.
    begin:      of those, the first that is a row.
    separator:  between cells.
    logged:     whether Windows' performance monitor wrote it: then every row is quoted, and what isn't is no row.
    """

    name: str
    lines: Sequence[str]
    begin: int
    separator: str
    logged: bool

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """(line, counted from 1; its cells, without blanks around them).

        Raises:
            TableError: a line is too long, has too many cells or an open quote. Of the last one, an open quote is left out: it was being written.
        """
        cells = 0
        for number in range(self.begin, len(self.lines)):
            line = self.lines[number].strip(BLANK.replace("\t", "")) if self.separator == "\t" else self.lines[number].strip(BLANK)
            if not line or (self.logged and not line.startswith('"')):
                continue
            if len(line) > MAX_LINE:
                raise TableError(self.name, number + 1, f"it is longer than {MAX_LINE} characters")
            try:
                (row,) = csv.reader((line,), delimiter=self.separator, strict=True)
            except csv.Error as error:
                if not any(after.strip(BLANK) for after in self.lines[number + 1 :]):
                    return
                raise TableError(self.name, number + 1, f"its quotes can't be followed: {error}") from None
            cells += len(row)
            if len(row) > MAX_COLUMNS or cells > MAX_CELLS:
                raise TableError(
                    self.name, number + 1, f"there are more than {MAX_COLUMNS} columns, or {MAX_CELLS:,} cells", "log fewer counters, or less often"
                )
            yield number + 1, tuple(cell.strip(BLANK) for cell in row)


def read_table(path: Path) -> Table:
    """A file as a table.

    Raises:
        ConfigError: it can't be read, or isn't one.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(str(path), f"can't be read: {error.strerror}", "name a file that this user can read") from error
    return parse_table(octets, str(path))


def parse_table(octets: bytes, name: str) -> Table:
    """A file's content as a table; its lines aren't looked at yet.

    Raises:
        TableError: it is too large, no text, or has no columns.
    """
    if len(octets) > MAX_FILE:
        raise TableError(name, 0, f"it is larger than {MAX_FILE >> 20} MiB", "log fewer counters, or less often")
    if octets.count(b"\n") > MAX_LINES:
        raise TableError(name, 0, f"it has more than {MAX_LINES:,} lines", "log less often")
    lines = _decode(octets, name).split("\n")
    begin = next((number for number, line in enumerate(lines) if line.strip(BLANK)), len(lines))
    if begin == len(lines):
        raise TableError(name, 0, "it is empty")
    first = lines[begin].strip(BLANK)
    if first.lower().startswith("sep=") and first[4:5] in SEPARATORS:
        return Table(name, lines, begin + 1, first[4:5] or "\t", logged=False)
    if PERFORMANCE_LOG in first:
        return Table(name, lines, begin, _find_separator(lines[begin : begin + 1]) or ",", logged=True)
    separator = _find_separator([line for line in lines[begin : begin + LOOKED_AT] if line.strip(BLANK)])
    if separator is None:
        raise TableError(name, begin + 1, "there is one column: no comma, semicolon or tab")
    return Table(name, lines, begin, separator, logged=False)


def _decode(octets: bytes, name: str) -> str:
    mark, encoding = next(((mark, encoding) for mark, encoding in MARKS if octets.startswith(mark)), (b"", ""))
    try:
        text = octets[len(mark) :].decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise TableError(name, 0, f"octet {error.start + len(mark)} is not {encoding.upper()}, which its first octets promise") from None
        text = octets.decode("cp1252", "replace")
    if "\0" in text:
        raise TableError(name, text.count("\n", 0, text.index("\0")) + 1, "it is no text", "a .blg log becomes one by `relog LOG.blg -f csv -o LOG.csv`")
    return text


def _find_separator(lines: Sequence[str]) -> str | None:
    """Of those on the first line outside quotes, the one that is as often on the most others."""
    bare = ["".join(line[:MAX_LINE].split('"')[::2]) for line in lines]
    alike = {separator: sum(line.count(separator) == bare[0].count(separator) for line in bare) for separator in SEPARATORS if separator in bare[0]}
    return max(alike, key=alike.__getitem__, default=None)
