"""What every `[[forwarders]]` table has, whatever its kind: its name, its share of the spool, its filter, how it is tried again.

A kind's own settings are a table on top of this, in a file beside its destination; `forwarders.settings` composes them.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, model_validator

from forwarders.destination import Promise
from forwarders.enrichers.table import Join
from forwarders.filter import FilterSettings
from pipeline.settings import Duration, Settings, Size
from pipeline.spool.settings import Consumer, OnFull, Start

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def check_name(value: str) -> str:
    """A forwarder's name is a counter's label and a word on the command line."""
    if NAME.fullmatch(value) is None:
        raise ValueError("write a name of up to 64 letters, digits, '.', '_' and '-', as in 'sensor-1'")
    return value


Name = Annotated[str, AfterValidator(check_name)]


class RetrySettings(Settings):
    """How a destination that fails is tried again: after `first`, then twice as long each time up to `longest`, each shortened by chance.

    first:    the pause after a first failure.
    longest:  the longest pause; also the most that a destination may ask for (Retry-After), and the pause of one that denies or is at fault.
    timeout:  how long one attempt may take.
    """

    first: Annotated[Duration, Field(gt=0)] = 0.5
    longest: Annotated[Duration, Field(gt=0)] = 60.0
    timeout: Annotated[Duration, Field(gt=0)] = 60.0


class CommonSettings(Settings):
    """What every forwarder has.

    name:          their counters' label, and their cursor's name in the spool.
    kind:          which of the tables it is.
    quota:         compressed octets of the spool it may lag behind; as many as the spool holds unless given.
    on_full:       what happens beyond: `block` stops the intake, `drop-oldest` moves this cursor and counts the loss.
    start:         where it begins when it is new to the spool.
    dead_letters:  records that may be parked for it; with more, it waits for the operator.
    enrich:        what is joined to its records as they leave (docs/enrichment.md).
    """

    carries_enrichments: ClassVar[bool] = True
    """Whether what it sends has a place for what is joined."""

    name: Name
    kind: str
    quota: Annotated[Size, Field(gt=0)] | None = None
    on_full: OnFull = OnFull.BLOCK
    start: Start = Start.END
    filter: FilterSettings | None = None
    retry: RetrySettings = RetrySettings()
    dead_letters: Annotated[int, Field(ge=0)] = 10_000
    enrich: tuple[Join, ...] = ()

    @model_validator(mode="after")
    def enrichments_are_carried(self) -> Self:
        """What is joined has to arrive."""
        if self.enrich and not self.carries_enrichments:
            raise ValueError("enrich: what this destination is sent has no place for what is joined; leave it out")
        if len(set(self.enrich)) < len(self.enrich):
            raise ValueError("enrich: a join is named twice; name it once")
        return self

    def consumer(self) -> Consumer:
        """This forwarder as the spool has to know it."""
        return Consumer(self.name, self.start, self.quota, self.on_full, self.filter.compile() if self.filter else None, self.dead_letters)

    @property
    def place(self) -> str:
        """Where records go, for a person: a path, a URL; never a secret."""
        return ""

    @property
    def promise(self) -> Promise:
        """What it means that this destination took a record."""
        return Promise.ACKNOWLEDGED
