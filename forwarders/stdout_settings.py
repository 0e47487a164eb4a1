"""Settings of the stdout destination."""

from __future__ import annotations

from typing import Literal

from forwarders.common_settings import CommonSettings
from forwarders.destination import Promise


class StdoutSettings(CommonSettings):
    """Standard output, one record a line."""

    kind: Literal["stdout"]

    @property
    def promise(self) -> Promise:
        return Promise.HANDED_OVER
