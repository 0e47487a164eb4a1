"""Which records a destination gets: decided by the index alone, never by the records."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import Annotated, Final

from pydantic import BeforeValidator

from pipeline.index import Entry
from pipeline.settings import Settings
from pipeline.spool.row import Wants

ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
COMPUTERS_REMEMBERED: Final = 4096


class FilterSettings(Settings):
    """`[forwarders.filter]`: those that every given list admits.

    event_codes:  Windows event IDs or RADIUS status types, as in `["4624", "4776"]`.
    class_uids:   OCSF classes, as in `[3002]`.
    status_ids:   OCSF statuses: 1 success, 2 failure, 0 where the record says neither.
    computers:    names of the computers the events are about, in any case; `*` stands for any text, `?` for one character: `*.contoso.example`.
    """

    event_codes: Annotated[frozenset[str], BeforeValidator(lambda value: [str(code) for code in value] if isinstance(value, list) else value)] = frozenset()
    class_uids: frozenset[int] = frozenset()
    status_ids: frozenset[int] = frozenset()
    computers: frozenset[str] = frozenset()

    def compile(self) -> Wants:
        """The filter, ready to decide."""
        event_codes, class_uids, status_ids = self.event_codes, self.class_uids, self.status_ids
        glob = re.compile("|".join(_translate(_lower(pattern)) for pattern in sorted(self.computers)), re.DOTALL) if self.computers else None

        @lru_cache(COMPUTERS_REMEMBERED)
        def wants_computer(computer: str) -> bool:
            return glob is None or glob.match(_lower(computer)) is not None

        def wants(entry: Entry) -> bool:
            return (
                (not event_codes or entry.event_code in event_codes)
                and (not class_uids or entry.class_uid in class_uids)
                and (not status_ids or entry.status_id in status_ids)
                and (glob is None or wants_computer(entry.computer))
            )

        return wants


def _lower(text: str) -> str:
    return text.translate(ASCII_LOWER)


def _translate(pattern: str) -> str:
    """A regular expression for the whole name: `*` and `?` alone are special (linear, see fnmatch.translate)."""
    return fnmatch.translate(pattern.replace("[", "[[]"))
