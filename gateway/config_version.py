"""The version a configuration is written in, and how an older one is read: as it was meant, and with what to write instead.

A file says `version = 1` before its first table; one that says nothing is of version 1, the first. VERSION grows when a key gets another name or another
meaning, never when one is added. Each growth is a row of STEPS, which changes the file's tables in memory and says of each change what to write, so that an old
file works, `tidegate check` warns, and nothing is guessed. A file of a later version is refused before anything else in it is judged: its other mistakes
would be ours.

Environment and flags are written by whoever runs this Tidegate, in its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pipeline.errors import ConfigError

Tree = dict[str, object]

Step = Callable[[Tree], Iterator[str]]
"""Changes the tables of one version to those of the next, in place; says what to write for each thing that it changed."""

STEPS: Final[tuple[Step, ...]] = ()
"""How version 1 becomes 2, 2 becomes 3, and so on. A step never changes once it was released."""

VERSION: Final = 1 + len(STEPS)


def upgrade(tree: Tree, source: str, steps: Sequence[Step] = STEPS) -> tuple[str, ...]:
    """Bring a file's tables to the version behind all `steps`, in place; returns what to write in the file instead, a line for each change.

    Args:
        tree: the file, as TOML has it.
        source: its name, for errors.
        steps: STEPS; others in tests.

    Raises:
        ConfigError: the version is none, or a later one.
    """
    newest = 1 + len(steps)
    version = tree.get("version", 1)
    if type(version) is not int or version < 1:
        raise ConfigError(f"{source}: version", "not a value it can have", f"write version = {newest}")
    if version > newest:
        why = f"{version}, that of a newer Tidegate (this one reads up to {newest})"
        raise ConfigError(f"{source}: version", why, "run that Tidegate, or go back to the file as it was before the upgrade")
    advice = [line for step in steps[version - 1 :] for line in step(tree)]
    tree["version"] = newest
    return (*advice, f"write version = {newest}") if advice else ()


def renamed(table: str, old: str, new: str) -> Step:
    """The step of a key that has another name: `renamed("listeners.syslog", "frame", "max_message")`; `forwarders` means each of them.

    Where both names are written, the old one stays and is refused as unknown.
    """

    def step(tree: Tree) -> Iterator[str]:
        for place, found in _tables(tree, table):
            if old in found and new not in found:
                found[new] = found.pop(old)
                yield f"write {place}.{new} instead of {place}.{old}"

    return step


def _tables(tree: object, path: str) -> Iterator[tuple[str, Tree]]:
    """Each table at a path, with its place as an operator reads it."""
    places: list[tuple[str, object]] = [("", tree)]
    for part in path.split("."):
        inner = [(f"{place}.{part}" if place else part, value[part]) for place, value in places if isinstance(value, dict) and part in value]
        places = [
            each
            for place, value in inner
            for each in ([(f"{place}[{number}]", item) for number, item in enumerate(value)] if isinstance(value, list) else [(place, value)])
        ]
    yield from ((place, value) for place, value in places if isinstance(value, dict))
