"""The gateway's own log as lines: structlog on stderr, JSON or console.

What a peer wrote may appear in a line, so every text is escaped before it is rendered (a terminal obeys ESC and the C1 controls, a
log viewer obeys line separators), shortened, and values under a secret's name never appear.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Final, TextIO

import orjson
import structlog
from structlog.processors import NAME_TO_LEVEL
from structlog.typing import EventDict, Processor, WrappedLogger

from pipeline.escape import escape_text
from pipeline.log import PEER_BURST, PEER_SECONDS_PER_LINE, Bucket, Level, Log, LogFormat, LogSettings

MAX_TEXT: Final = 512
SECRET_NAME: Final = re.compile(r"secret|password|passwd|token|credential|private_key|authorization", re.ASCII | re.IGNORECASE)


def open_log(stream: TextIO, settings: LogSettings) -> Log:
    """A logger that writes to `stream`; nothing global is configured."""
    return structlog.wrap_logger(  # type: ignore[no-any-return]  # typed Any by structlog, is what wrapper_class says
        structlog.PrintLogger(stream),
        processors=_processors(stream, settings),
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        cache_logger_on_first_use=True,
    )


class Threshold:
    """The level from which lines are written, which may change while the program runs.

    level:  its name.
    """

    def __init__(self, level: Level) -> None:
        self.level = level

    def admit(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Structlog processor: lets pass what reaches the level."""
        if NAME_TO_LEVEL[method] < NAME_TO_LEVEL[self.level]:
            raise structlog.DropEvent
        return event


def configure_log(stream: TextIO, settings: LogSettings, count: Callable[[str], None], threshold: Threshold | None = None) -> Log:
    """Make `structlog.get_logger()` what `open_log` returns, for the whole process; a program's first act, no library's.

    Args:
        stream: where lines are written.
        settings: [log].
        count: told each line's level.
        threshold: decides what is written, instead of the settings' level.
    """
    admits = (threshold or Threshold(settings.level)).admit

    def counted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        count(event["level"])
        return event

    first, *rest = _processors(stream, settings)
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(stream),
        processors=[admits, first, counted, *rest],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
    )
    log: Log = structlog.get_logger()
    logging.basicConfig(handlers=[LibraryVoice(log, time.monotonic)], level=logging.WARNING)
    return log


def _processors(stream: TextIO, settings: LogSettings) -> list[Processor]:
    console = settings.format is LogFormat.CONSOLE or (settings.format is LogFormat.AUTO and stream.isatty())
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
        escape_texts,
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, sort_keys=False) if console else _render_json,
    ]


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: values under a name that speaks of a secret are starred."""
    return {key: "***" if SECRET_NAME.search(key) else value for key, value in event.items()}


def escape_texts(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: everything that isn't a number becomes text, shortened and without a control character; a traceback keeps its lines."""
    return {key: _plain(value) if key != "exception" else "\n".join(map(escape_text, str(value).split("\n"))) for key, value in event.items()}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {escape_text(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes | bytearray) else str(value)
    return escape_text(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text)} characters)")


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return orjson.dumps({**first, **event}, default=str).decode()


class LibraryVoice(logging.Handler):
    """What libraries say through `logging`, as lines of our log: five at once, then one in ten seconds.

    Without a handler Python would write all of it to stderr as it comes, tracebacks included.

    Args:
        log: where lines go.
        clock: monotonic seconds.
    """

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._log: Final = log
        self._clock: Final = clock
        self._bucket: Final = Bucket(PEER_BURST, clock())

    def emit(self, record: logging.LogRecord) -> None:
        if self._bucket.take(self._clock(), PEER_BURST, PEER_SECONDS_PER_LINE):
            self._log.log(record.levelno, record.getMessage(), library=record.name)
