"""When Python looks for garbage: hardly while a command starts, as usual while a gateway serves, not at the end.

A start makes a hundred thousand objects that stay. Looking among them every 700, and once more at the end, took a sixth of it. What peers
leave behind, such as a TLS session of a broken connection, is a few objects and much memory: a gateway doesn't wait for so many.
"""

from __future__ import annotations

import atexit
import gc
from typing import Final

PATIENT: Final = (200_000, 10, 10)
USUAL: Final = (700, 10, 10)
"""Python's own."""


def expect_none() -> None:
    """What is made now stays; what is there at the end goes with the process."""
    gc.set_threshold(*PATIENT)
    atexit.register(gc.freeze)


def expect_some() -> None:
    """What was made so far stays, and isn't looked through again; what is made from now on comes and goes."""
    gc.freeze()
    gc.set_threshold(*USUAL)
