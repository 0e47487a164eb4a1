"""Reload: a running gateway reads its configuration anew and takes it over, all of it or nothing (docs/operate/reload.md).

    read ─▶ compare ─▶ prepare ─▶ consumers of the spool ─▶ apply
    `───────── may refuse, and nothing has changed then ──┘   `── at once: no await, nothing that fails

Whoever asks (SIGHUP, `tidegate reload`) has it done one at a time. A refusal is one line of the log, counted, and shown by a gauge until one is accepted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final

import trio

from gateway.config import Config
from gateway.config_errors import UnusableConfig
from gateway.control import Command, ControlError, Request
from gateway.deliveries import Deliveries
from gateway.normalizing import NormalizerInForce, make_normalizer
from gateway.notify import READY, RELOADING
from gateway.radius_accounting import radius_terms
from gateway.reload_changes import changes, refuse_fixed
from gateway.windows_forwarding import wef_terms
from listeners.radius import serve as radius
from listeners.renewal import Apply, Renewal
from listeners.syslog.settings import SyslogSettings
from listeners.wef import listener as wef
from pipeline.errors import ConfigError, GatewayError, SpoolError
from pipeline.escape import escape_text
from pipeline.log import Log
from pipeline.log_lines import Threshold
from pipeline.metrics import Metrics
from pipeline.spool.sqlite import SqliteSpool

COMMAND: Final = "reload"
MAX_SHOWN: Final = 20
"""Changes and mistakes named in one line of the log."""


class Result(StrEnum):
    """What became of a reload."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one was refused; what, why and fix as in ConfigError."""

    what: str
    why: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.fix}" if self.fix else f"{self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What is told to whoever asked.

    changed:   places of what differs from before, where it was accepted.
    problems:  why it was refused; empty where it was accepted.
    """

    result: Result
    changed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class InForce:
    """What of a running gateway a reload changes.

    config:        what it runs by.
    threshold:     of the log.
    syslog, wef, radius:  how each listener takes new settings.
    """

    config: Config
    threshold: Threshold
    normalizer: NormalizerInForce
    spool: SqliteSpool
    deliveries: Deliveries
    syslog: Renewal[SyslogSettings] = field(default_factory=Renewal)
    wef: Renewal[wef.Terms] = field(default_factory=Renewal)
    radius: Renewal[radius.Terms] = field(default_factory=Renewal)


class Reload:
    """The way to do it.

    Args:
        in_force: of a gateway whose listeners accept.
        read: reads the configuration anew, in a thread.
        stopping: whether the gateway has been told to stop.
        tell: passes states on to the service manager.
        log: of the process.
        metrics: where results are counted.
    """

    def __init__(
        self,
        in_force: InForce,
        *,
        read: Callable[[], Config],
        stopping: Callable[[], bool],
        tell: Callable[..., object],
        log: Log,
        metrics: Metrics,
    ) -> None:
        self._in_force, self._read, self._stopping, self._tell, self._log, self._metrics = in_force, read, stopping, tell, log, metrics
        self._turn: Final = trio.Lock()
        for result in Result:
            metrics.reloads.labels(result)

    async def reload(self) -> Reloaded:
        """Read and take over, or refuse; never raises for what is in a file."""
        async with self._turn:
            if self._stopping():
                return Reloaded(Result.REFUSED, problems=(Problem("the running gateway", "is stopping", "start it again"),))
            self._tell(RELOADING, f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
            try:
                found = Reloaded(Result.ACCEPTED, await self._change())
            except (GatewayError, OSError) as error:
                found = Reloaded(Result.REFUSED, problems=_problems(error))
            except Exception:  # noqa: BLE001 - a fault of ours in here must not end the gateway
                self._log.exception("configuration not reloaded: reload failed")
                found = Reloaded(Result.REFUSED, problems=(Problem("the running gateway", "failed to reload", "its log says why"),))
            self._note(found)
            if not self._stopping():
                self._tell(READY)
            return found

    def _note(self, found: Reloaded) -> None:
        self._metrics.reloads.labels(found.result).inc()
        self._metrics.reload_refused.set(found.result is Result.REFUSED)
        if found.result is Result.ACCEPTED:
            self._log.info("configuration reloaded", changed=found.changed[:MAX_SHOWN], changes=len(found.changed))
        else:
            self._log.error("configuration not reloaded, the former one stays", problems=list(map(str, found.problems[:MAX_SHOWN])))

    async def _change(self) -> tuple[str, ...]:
        """Take over; returns what changed.

        Raises:
            ConfigError: the configuration can't be used, or not without a restart.
            SpoolError: the spool can't take other consumers.
        """
        new = await trio.to_thread.run_sync(self._read)
        found = changes(self._in_force.config, new)
        refuse_fixed(found)
        normalizer = await trio.to_thread.run_sync(make_normalizer, new)
        applies: list[Apply] = [partial(self._in_force.normalizer.renew, normalizer), *self._prepare(new)]
        await self._in_force.spool.renew([table.consumer() for table in new.forwarders])
        if self._stopping():
            raise ControlError("the running gateway", "is stopping", "start it again")
        for apply in applies:
            apply()
        self._in_force.config = new
        self._in_force.threshold.level = new.log.level
        for line in new.outdated:
            self._log.warning("the configuration is of an older version, and read as it was meant", fix=line)
        with suppress(SpoolError):  # the places of new destinations; whoever refuses here says so in the blockade
            await self._in_force.spool.flush()
        return tuple(change.place for change in found)

    def _prepare(self, new: Config) -> Sequence[Apply]:
        """What puts each part in force, files read and destinations made."""
        force, listeners = self._in_force, new.listeners
        return [
            *([force.syslog.prepare(listeners.syslog)] if listeners.syslog else []),
            *([force.wef.prepare(wef_terms(listeners.wef))] if listeners.wef else []),
            *([force.radius.prepare(radius_terms(new, listeners.radius, force.spool))] if listeners.radius else []),
            force.deliveries.prepare(new.forwarders),
        ]


def _problems(error: GatewayError | OSError) -> tuple[Problem, ...]:
    match error:
        case UnusableConfig():
            return tuple(Problem(each.what, each.why, each.fix) for each in error.problems)
        case ConfigError() | SpoolError() | ControlError():
            return (Problem(error.what, error.why, error.fix),)
        case OSError():
            return (Problem(str(error.filename or "system"), error.strerror or str(error)),)
    return (Problem("the configuration", str(error)),)


def render_reloaded(reloaded: Reloaded) -> str:
    """An accepted reload for a person: what changed, a line each."""
    if not reloaded.changed:
        return "reloaded; the configuration is as it was, and the files it names were read again\n"
    return "".join(f"{line}\n" for line in (f"reloaded, {len(reloaded.changed)} changed:", *(f"  {escape_text(place)}" for place in reloaded.changed)))


def make_command(reload: Callable[[], Reload | None]) -> Command:
    """What answers `tidegate reload`.

    Args:
        reload: gives the way to do it, None while the gateway starts.
    """

    async def answer(_request: Request) -> object:
        way = reload()
        if way is None:
            raise ControlError("the running gateway", "is still starting, and has just read its configuration", "try again once it is ready")
        return await way.reload()

    return answer
