"""The RADIUS listener, made of the configuration: where records go, whether packets are kept for a relay, and what an answer waits for."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from gateway.config import Config
from gateway.normalizing import NormalizerInForce
from kernel import Engine
from listeners.radius.reception import Proof, committed
from listeners.radius.serve import TURN, Terms, serve_radius
from listeners.radius.settings import RadiusSettings
from listeners.renewal import Renewal
from pipeline.intake import Intake
from pipeline.log import Log
from pipeline.metrics import Metrics
from pipeline.receipt import Receipt
from pipeline.rejects import Rejects
from pipeline.spool.sqlite import SqliteSpool

NATIVE_TURN: Final = 4096
"""Requests that the native engine normalizes in about as long as the reference engine does `TURN`."""

PATIENCE_S: Final = 30.0
"""How long an answer waits for the next hop's: clients send again long before, and are answered then."""


def radius_terms(config: Config, radius: RadiusSettings, spool: SqliteSpool) -> Terms:
    """What of a configuration the listener can take over while it runs."""
    return Terms(radius, keep=bool(config.relays), proof=committed if radius.relay is None else relayed(spool, radius.relay))


def make_radius_listener(
    config: Config,
    radius: RadiusSettings,
    *,
    normalizer: NormalizerInForce,
    spool: SqliteSpool,
    intake: Intake,
    rejects: Rejects,
    metrics: Metrics,
    log: Log,
    renewal: Renewal[Terms],
    stop: trio.Event,
) -> Callable[..., Awaitable[None]]:
    """`serve_radius` with everything but its task_status.

    Args:
        config: what runs.
        radius: its [listeners.radius].
        normalizer: judges packets.
        spool: says whether it takes records in, and what a relay has passed on.
        intake: where batches go.
        rejects: the ring of what was refused.
        metrics: of the process.
        log: of the process.
        renewal: told how other terms are taken.
        stop: set for a drain.
    """
    terms = radius_terms(config, radius, spool)
    return partial(
        serve_radius,
        radius,
        normalize=normalizer.normalize_radius,
        intake=intake,
        remember=rejects.keep,
        metrics=metrics,
        turn=NATIVE_TURN if config.gateway.engine is Engine.NATIVE else TURN,
        takes_in=lambda: spool.blockade is None,
        clock=time.time_ns,
        log=log,
        keep=terms.keep,
        proof=terms.proof,
        renewal=renewal,
        stop=stop,
    )


def relayed(spool: SqliteSpool, relay: str) -> Proof:
    """What an answer waits for that is to say that the next hop has answered as well, or will never be asked: its records passed, or parked."""

    async def passed(receipt: Receipt) -> bool:
        await receipt.wait()
        with trio.move_on_after(PATIENCE_S):
            return await spool.passed(relay, receipt.number)
        return False

    return passed
