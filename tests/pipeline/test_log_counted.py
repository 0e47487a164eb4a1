"""Every line of the log is counted by its level, whoever wrote it and whatever went wrong."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from pipeline.log import LogSettings
from pipeline.log_lines import Threshold, configure_log


@pytest.fixture(autouse=True)
def _left_as_it_was() -> Iterator[None]:
    handlers = list(logging.root.handlers)
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers


def test_lines_are_counted_by_level_and_those_not_written_are_not() -> None:
    counted, stream = Counter[str](), StringIO()

    def count(level: str) -> None:
        counted[level] += 1

    log = configure_log(stream, LogSettings(), count)
    log.debug("below the level")
    log.info("said")
    log.bind(peer="192.0.2.1").warning("said too")
    log.error("failed", exc_info=ValueError("a fault of ours"))
    assert counted == {"info": 1, "warning": 1, "error": 1}
    assert len(stream.getvalue().splitlines()) == counted.total()


def test_the_level_may_change_while_it_is_written() -> None:
    stream, threshold = StringIO(), Threshold("warning")
    log = configure_log(stream, LogSettings(level="error"), lambda _level: None, threshold)
    bound = log.bind(destination="archive")
    said = []
    for threshold.level in ("debug", "info", "warning", "error"):
        for level in ("debug", "info", "warning", "error"):
            getattr(bound, level)(f"{level} at {threshold.level}")
        bound.exception("always")
        said.append(stream.getvalue().count("\n"))
        stream.truncate(0)
    assert said == [5, 4, 3, 2]
