"""What the running gateway answers over its control socket (`gateway.control`), by the command's name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from gateway import VERSION
from gateway.config import Config
from gateway.control import Command, ControlError, Request
from gateway.explain import write_rejected
from gateway.spool_letters import make_requeue
from gateway.spool_report import forgotten, write_report
from pipeline.condition import Condition
from pipeline.rejects import Rejects
from pipeline.spool.sqlite import SqliteSpool

DEFAULT_LAST: Final = 10
MAX_LAST: Final = 10_000


def commands(
    config: Config,
    spool: SqliteSpool,
    rejects: Rejects,
    gaps: Callable[[], Sequence[str]],
    conditions: Callable[[], Mapping[str, Condition]],
) -> Mapping[str, Command]:
    """The table.

    Args:
        config: what runs.
        spool: its spool.
        rejects: the last messages it refused.
        gaps: what stands between it and being ready.
        conditions: how each destination fares, by name.
    """

    async def status(_request: Request) -> object:
        return {"name": config.gateway.name, "version": VERSION, "engine": config.gateway.engine, "process": os.getpid(), "gaps": list(gaps())}

    async def spool_status(_request: Request) -> object:
        status, known = await spool.status(), conditions()
        consumers = tuple(replace(consumer, condition=known.get(consumer.name)) for consumer in status.consumers)
        return orjson.Fragment(write_report(replace(status, consumers=consumers)))

    async def spool_forget(request: Request) -> object:
        name = request.text("name")
        if name is None:
            raise ControlError("spool.forget", "which destination?", "name it")
        await spool.forget(name)
        return forgotten(name)

    async def spool_requeue(request: Request) -> object:
        name, uids = request.text("name"), request.text("uids") or ""
        if name is None:
            raise ControlError("spool.requeue", "which destination?", "name it")
        return await spool.requeue(make_requeue(name, request.text("reason"), uids.split()))

    async def rejects_last(request: Request) -> object:
        last = request.number("last", DEFAULT_LAST)
        return [write_rejected(kept) for kept in rejects.last(min(last, MAX_LAST), request.text("reason"))]

    return {"status": status, "spool.status": spool_status, "spool.forget": spool_forget, "spool.requeue": spool_requeue, "rejects.last": rejects_last}
