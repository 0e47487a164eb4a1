"""Settings of the file destination."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from forwarders.common_settings import CommonSettings
from pipeline.settings import FilePath, Size

GIB: Final = 1 << 30


class FileSettings(CommonSettings):
    """A file of newline-delimited JSON, rotated by size.

    path:          the live file; its folder is made.
    rotate_bytes:  size from which the live file is moved aside.
    keep:          rotated files to keep; all of them unless given.
    """

    kind: Literal["file"]
    path: FilePath
    rotate_bytes: Annotated[Size, Field(ge=1)] = GIB
    keep: Annotated[int, Field(ge=1)] | None = None

    @property
    def place(self) -> str:
        return str(self.path)
