"""`tidegate check --live`: whether the gateway of this configuration runs and answers, for a container's health check or a person; no shell, no HTTP client.

it answers on its control socket              ok
it answers, and something keeps it from ready  a warning each: alive all the same
nobody answers in time                         an error
"""

from __future__ import annotations

from typing import Final

from gateway.check.findings import Finding, Level
from gateway.config import Config
from gateway.control import ControlError, Request, ask

SECONDS: Final = 5.0

WHAT: Final = "gateway"
CHECK: Final = "live"


async def examine_live(config: Config, *, seconds: float = SECONDS) -> tuple[Finding, ...]:
    """Ask the gateway that runs on the configuration's state directory; `seconds` is how long it may take."""
    try:
        status = await ask(config.gateway.state_dir, Request("status"), seconds=seconds)
    except ControlError as error:
        return (Finding(Level.ERROR, error.what, error.why, error.fix, CHECK),)
    if not isinstance(status, dict):
        return (Finding(Level.ERROR, WHAT, "what answers on its control socket is no Tidegate", check=CHECK),)
    gaps = [Finding(Level.WARNING, WHAT, f"not ready: {gap}", check=CHECK) for gap in status.get("gaps", ())]
    return (Finding(Level.OK, WHAT, f"{status.get('name')} {status.get('version')} answers", check=CHECK), *gaps)
