"""The Windows Event Forwarding listener, made of the configuration: who authenticates, what is offered, where events go."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

import trio

from gateway.config import Config
from gateway.normalizing import NormalizerInForce
from gateway.windows_subscriptions import expand_all
from listeners.renewal import Renewal
from listeners.wef.authenticators import open_authenticators
from listeners.wef.listener import NAME, Terms, serve_wef
from listeners.wef.refusals import Refusals
from listeners.wef.settings import WefSettings
from pipeline.intake import Intake
from pipeline.log import Log, PeerLog
from pipeline.metrics import Metrics
from pipeline.rejects import Rejects
from pipeline.spool.sqlite import SqliteSpool


def wef_terms(wef: WefSettings) -> Terms:
    """What of a configuration the listener can take over while it runs.

    Raises:
        ConfigError: a profile or query can't be used.
    """
    return Terms(wef, expand_all(wef.subscriptions))


def make_wef_listener(
    config: Config,
    wef: WefSettings,
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
    """`serve_wef` with everything but its task_status.

    Args:
        config: what runs.
        wef: its [listeners.wef].
        normalizer: judges events.
        spool: remembers bookmarks.
        intake: where batches go.
        rejects: the ring of what was refused.
        metrics: of the process.
        log: of the process.
        renewal: told how other terms are taken.
        stop: set for a drain.

    Raises:
        ConfigError: a profile, query, certificate, key or keytab can't be used, or a package is missing.
    """
    refusals = Refusals(NAME, metrics, PeerLog(log, trio.current_time), rejects.keep, time.time_ns)
    return partial(
        serve_wef,
        wef,
        authenticators=open_authenticators(wef, config.gateway.state_dir, refusals, log),
        offered=expand_all(wef.subscriptions),
        normalize=normalizer.normalize_events,
        intake=intake,
        memory=spool,
        remember=rejects.keep,
        metrics=metrics,
        clock=time.time_ns,
        new_uuid=uuid4,
        log=log,
        renewal=renewal,
        stop=stop,
    )
