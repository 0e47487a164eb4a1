"""The roof: everything a person or a service manager meets, put together from the wings and the ground."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""The distribution's version, as in pyproject.toml."""
