"""The gateway: everything a configuration names, put together, started in order and stopped in order.

    floor         holds                                       ends
    roof          signals, control socket, metrics server     last
    spool         the intake                                  when everything that came in is durable
    destinations  one delivery loop per forwarder             when its destination has it all
    doors         listeners                                   first, when told to stop

The first SIGTERM or SIGINT stops floor by floor from the doors up, within [gateway] drain; a second one ends everything at once. Whatever
was acknowledged is on disk by then, and what a destination hasn't taken waits for the next start. SIGHUP has the configuration read anew, and taken over by
whatever runs (`gateway.reload`). stderr is the log, stdout says:

    ready NAME TRANSPORT ADDRESS     an address that accepts now
    forwarding NAME KIND PLACE       a destination; records wait in the spool while it can't be reached
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TextIO

import trio

from forwarders.delivery import Delivery
from forwarders.destination import Destination
from forwarders.settings import ForwarderSettings
from gateway.addresses import addresses
from gateway.backfill import TAKE, make_backfill
from gateway.blockades import tell_blockades
from gateway.commands import commands
from gateway.config import Config
from gateway.control import serve_control
from gateway.deliveries import Deliveries
from gateway.destinations import describe_destination, make_destination
from gateway.garbage import expect_some
from gateway.metrics_server import pages, serve_metrics
from gateway.normalizing import NormalizerInForce, make_normalizer
from gateway.notify import READY, STOPPING, notify
from gateway.open_files import allow_open_files
from gateway.radius_accounting import make_radius_listener
from gateway.reload import COMMAND, InForce, Reload, make_command
from gateway.version import describe_version
from gateway.watchdog import feed_watchdog, watchdog_interval
from gateway.windows_forwarding import make_wef_listener
from listeners.bind import refuse_leftovers
from listeners.passed import Passed, take_passed
from listeners.ready import Ready
from listeners.syslog.serve import serve_syslog
from pipeline.errors import GatewayError, SpoolError, leaves
from pipeline.intake import Intake
from pipeline.log import Log
from pipeline.log_lines import Threshold, configure_log
from pipeline.metrics import Metrics
from pipeline.model import Transport
from pipeline.rejects import Rejects
from pipeline.spool.spool import Signal
from pipeline.spool.sqlite import SqliteSpool, open_spool

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
RECALLED: Final = 256
FAILED: Final = 1
SETTLE_S: Final = 3.0
"""What was read is committed as long as the spool takes it, so much longer than a drain: nobody can read it again."""

METRICS: Final = "metrics"
KILLED: Final = 128
"""Exit code of a program that a signal ended is this and the signal's number, by a shell's count."""


@dataclass(slots=True)
class Gateway:
    """What the floors of one running gateway share.

    in_force:  the configuration, and what a reload changes.
    rejects:   the ring of what was refused.
    passed:    sockets that whoever started us holds.
    out:       stdout, for ready lines.
    started:   set once every listener accepts.
    stop:      set once it was told to stop.
    hangup:    set by SIGHUP.
    code:      the exit code.
    """

    in_force: InForce
    log: Log
    metrics: Metrics
    intake: Intake
    rejects: Rejects
    passed: Passed
    out: TextIO
    started: trio.Event = field(default_factory=trio.Event)
    stop: trio.Event = field(default_factory=trio.Event)
    hangup: Signal = field(default_factory=Signal)
    code: int = 0

    @property
    def spool(self) -> SqliteSpool:
        """The spool."""
        return self.in_force.spool

    def gaps(self) -> Sequence[str]:
        """What stands between it and being ready."""
        blockade = self.spool.blockade
        said = {"starting": not self.started.is_set(), "stopping": self.stop.is_set(), f"spool: {blockade}": blockade is not None}
        return [text for text, holds in said.items() if holds]

    def say(self, *lines: object) -> None:
        """Lines on stdout, at once, since somebody may wait for them; if nobody reads there, so be it."""
        with contextlib.suppress(OSError):
            self.out.write("".join(f"{line}\n" for line in lines))
            self.out.flush()


async def run_gateway(config: Config, out: TextIO | None = None, *, read: Callable[[], Config] | None = None) -> int:
    """Run until told to stop; returns the exit code.

    Args:
        config: what to run.
        out: where ready lines go, stdout unless given.
        read: reads the configuration anew, for a reload; what runs is all there is unless given.

    Raises:
        GatewayError: by itself or in a group: an address, a file, the state directory can't be used.
    """
    metrics, threshold = Metrics(), Threshold(config.log.level)
    log = configure_log(sys.stderr, config.log, lambda level: metrics.log_lines.labels(level).inc(), threshold).bind(gateway=config.gateway.name)
    log.info("starting", version=describe_version(config.gateway.engine), engine=config.gateway.engine, state_dir=str(config.gateway.state_dir))
    for line in config.outdated:
        log.warning("the configuration is of an older version, and read as it was meant", fix=line)
    allow_open_files()
    passed = take_passed(os.environ, os.getpid())
    await refuse_leftovers(passed, (at for at in addresses(config) if at[0] != METRICS))
    normalizer, rejects = NormalizerInForce(make_normalizer(config)), Rejects()
    normalizer.show(metrics)
    consumers = [table.consumer() for table in config.forwarders]
    spool = await trio.to_thread.run_sync(open_spool, config.gateway.state_dir, config.spool, consumers, metrics)
    deliveries = Deliveries(lambda table: make_destination(table, metrics, spool), partial(_make_delivery, spool, metrics, log))
    in_force = InForce(config, threshold, normalizer, spool, deliveries)
    gateway = Gateway(in_force, log, metrics, Intake(spool, metrics, rejects), rejects, passed, out or sys.stdout)
    tell = partial(notify, os.environ)
    reload = Reload(in_force, read=read or (lambda: config), stopping=gateway.stop.is_set, tell=tell, log=log, metrics=metrics)
    await _recall_rejects(gateway)
    with contextlib.suppress(SpoolError):  # the places of new destinations, the gauges; whoever refuses here says so in the blockade
        await spool.flush()
    if spool.salvaged:
        log.error("the spool was damaged, what could be read was saved", salvaged=spool.salvaged)
    try:
        async with trio.open_nursery() as roof:
            await roof.start(_obey_signals, gateway, roof.cancel_scope)
            roof.start_soon(tell_blockades, spool, log)
            interval = watchdog_interval(os.environ, os.getpid())
            if interval:
                roof.start_soon(feed_watchdog, interval, gateway.intake, tell)
            roof.start_soon(_obey_hangups, gateway, reload)
            answers = {
                **commands(config, spool, rejects, gateway.gaps, deliveries.conditions),
                TAKE: make_backfill(lambda: in_force.config, normalizer.normalize, gateway.intake, spool, clock=time.time_ns),
                COMMAND: make_command(lambda: reload if gateway.started.is_set() else None),
            }
            await roof.start(serve_control, config.gateway.state_dir, answers, log)
            if config.metrics:
                address = await roof.start(serve_metrics, config.metrics.address, pages(metrics, gateway.gaps), log)
                gateway.say(Ready(METRICS, Transport.HTTP, address))
            expect_some()
            await _run_floors(gateway)
            roof.cancel_scope.cancel()
    except Exception as error:
        if all(isinstance(leaf, GatewayError | OSError) for leaf in leaves(error)):
            raise
        log.exception("crashed; nothing that was acknowledged is lost")
        gateway.code = FAILED
    finally:
        with trio.CancelScope(shield=True):
            await spool.close()
    if gateway.intake.given_up:
        log.error(
            "messages were read and not committed",
            messages=gateway.intake.given_up,
            why="ended at once" if gateway.code else "the spool hadn't taken them when the drain was over",
        )
    log.info("stopped", code=gateway.code)
    return gateway.code


async def _recall_rejects(gateway: Gateway) -> None:
    """What the spool kept of former runs is there for `tidegate explain --last` again."""
    with contextlib.suppress(SpoolError):  # damage shows again where it matters
        for origin, reject in await gateway.spool.rejects(RECALLED):
            gateway.rejects.keep(origin, reject)


async def _run_floors(gateway: Gateway) -> None:
    """Start from the spool to the doors, wait for the word, stop from the doors to the spool."""
    deliveries = gateway.in_force.deliveries
    async with trio.open_nursery() as spool_floor:
        spool_floor.start_soon(gateway.intake.run)
        async with trio.open_nursery() as destinations:
            deliveries.begin(gateway.in_force.config.forwarders, destinations)
            gateway.say(*(f"forwarding {describe_destination(table)}" for table in gateway.in_force.config.forwarders))
            async with trio.open_nursery() as doors:
                await _open_doors(gateway, doors)
                await gateway.stop.wait()
                gateway.intake.finish()
                deadline = trio.current_time() + gateway.in_force.config.gateway.drain
                doors.cancel_scope.deadline = deadline
            with trio.move_on_at(deadline + (SETTLE_S if gateway.intake.has_work else 0)):
                await gateway.intake.drained()
            destinations.cancel_scope.deadline = deadline
            deliveries.finish()
        spool_floor.cancel_scope.cancel()


async def _open_doors(gateway: Gateway, doors: trio.Nursery) -> None:
    in_force, config = gateway.in_force, gateway.in_force.config
    if config.listeners.syslog:
        gateway.metrics.show_listener("listeners.syslog")
        serve = partial(
            serve_syslog,
            config.listeners.syslog,
            normalize=in_force.normalizer.normalize,
            turn_octets=lambda: in_force.normalizer.turn_octets,
            intake=gateway.intake,
            metrics=gateway.metrics,
            engine=config.gateway.engine,
            clock=time.time_ns,
            log=gateway.log,
            passed=gateway.passed,
            renewal=in_force.syslog,
            stop=gateway.stop,
            patience=lambda: in_force.config.gateway.drain / 2,
        )
        gateway.say(*await doors.start(serve))
    if config.listeners.wef:
        gateway.metrics.show_listener("listeners.wef")
        listener = make_wef_listener(
            config,
            config.listeners.wef,
            normalizer=in_force.normalizer,
            spool=gateway.spool,
            intake=gateway.intake,
            rejects=gateway.rejects,
            metrics=gateway.metrics,
            log=gateway.log,
            renewal=in_force.wef,
            stop=gateway.stop,
        )
        gateway.say(*await doors.start(partial(listener, passed=gateway.passed)))
    if config.listeners.radius:
        gateway.metrics.show_listener("listeners.radius")
        listener = make_radius_listener(
            config,
            config.listeners.radius,
            normalizer=in_force.normalizer,
            spool=gateway.spool,
            intake=gateway.intake,
            rejects=gateway.rejects,
            metrics=gateway.metrics,
            log=gateway.log,
            renewal=in_force.radius,
            stop=gateway.stop,
        )
        gateway.say(*await doors.start(partial(listener, passed=gateway.passed)))
    gateway.started.set()
    notify(os.environ, READY)
    gateway.log.info("ready")


def _make_delivery(spool: SqliteSpool, metrics: Metrics, log: Log, table: ForwarderSettings, destination: Destination) -> Delivery:
    wants = table.consumer().wants
    return Delivery(table.name, spool, destination, wants=wants, retry=table.retry, metrics=metrics, log=log, random=random.random)


async def _obey_hangups(gateway: Gateway, reload: Reload) -> None:
    await gateway.started.wait()
    while True:
        await gateway.hangup.wait()
        await reload.reload()


async def _obey_signals(gateway: Gateway, everything: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(*STOP_SIGNALS, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if number == signal.SIGHUP:
                gateway.hangup.set()
            elif not gateway.stop.is_set():
                gateway.log.info("stopping: a second signal doesn't wait for destinations", signal=name)
                notify(os.environ, STOPPING)
                gateway.stop.set()
            else:
                gateway.code = KILLED + number
                everything.cancel()
