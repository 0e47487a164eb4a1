"""How long to wait before a destination is tried again. No clock.

after                      the pause is
a failure                  `first`, then twice as long each time up to `longest`, shortened by up to half by chance
... with a Retry-After     what it says, 0 to `longest`; but from the second failure in a row on at least `first`, else a destination could have us spin
a denial, or its own fault `longest`, shortened likewise: nothing changes before somebody acts
"""

from __future__ import annotations

from typing import Final

from forwarders.common_settings import RetrySettings
from pipeline.errors import DeliveryError, Fault

MAX_DOUBLINGS: Final = 16


def pause_after(error: DeliveryError, failures: int, retry: RetrySettings, chance: float) -> float:
    """Seconds to wait.

    Args:
        error: what went wrong.
        failures: how often it did before, since the destination last took something.
        retry: the settings.
        chance: from 0.0 to 1.0.
    """
    jitter = 0.5 + 0.5 * chance
    if error.fault is not Fault.RETRY:
        return retry.longest * jitter
    asked = error.retry_after
    if asked is not None and asked >= 0:  # which no NaN is
        return min(retry.longest, max(asked, retry.first if failures else 0.0))
    return min(retry.longest, retry.first * 2.0 ** min(failures, MAX_DOUBLINGS)) * jitter
