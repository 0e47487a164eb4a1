"""How the native engine writes a record of a plan: its layout, made once, in the order of sorted keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import orjson

from normalizers.native_ops import Part
from normalizers.plan import Json

_Tree: TypeAlias = "dict[str, int | _Tree]"


def encode_layout(paths: Mapping[str, int], settled: Mapping[str, Json]) -> list[Part]:
    """Steps of writing a record: `text`, `leaf` behind its `key`, or `leaves` inside an object of which nothing may be present.

    `paths` are in the order of their steps' octets, and so is what is written.
    """
    tree: _Tree = {}
    for path, leaf in paths.items():
        node: Any = tree
        *above, last = path.split(".")
        for step in above:
            node = node.setdefault(step, {})
        node[last] = leaf
    return _Layout({paths[path]: value for path, value in settled.items()}).object(tree)


@dataclass(frozen=True, slots=True)
class _Layout:
    settled: Mapping[int, Json]

    def object(self, tree: _Tree) -> list[Part]:
        """An object's members, each followed by a comma; the last comma becomes the object's end as it is written."""
        steps: list[Part] = []
        for name, node in tree.items():
            key = _key(name)
            if isinstance(node, int):
                if node in self.settled:
                    steps.append({"text": key + orjson.dumps(self.settled[node], option=orjson.OPT_SORT_KEYS).decode() + ","})
                else:
                    steps.append({"leaf": node, "key": key})
                continue
            leaves = list(_leaves(node))
            if self.settled.keys().isdisjoint(leaves):
                steps.append({"key": key + "{", "leaves": leaves, "inside": [*self.object(node), {"end": True}]})
            else:
                steps += [{"text": key + "{"}, *self.object(node), {"end": True}]
        return _joined(steps)


@cache
def _key(name: str) -> str:
    return orjson.dumps(name).decode() + ":"


def _leaves(tree: _Tree) -> Iterator[int]:
    for node in tree.values():
        yield from (node,) if isinstance(node, int) else _leaves(node)


def _joined(steps: list[Part]) -> list[Part]:
    """Neighbouring texts in one, and an end behind a text within it."""
    joined: list[Part] = []
    for step in steps:
        before = joined[-1] if joined and "text" in joined[-1] else None
        if before is None:
            joined.append(step)
        elif "text" in step:
            joined[-1] = {"text": before["text"] + step["text"]}
        elif "end" in step:
            joined[-1] = {"text": before["text"][:-1] + "},"}
        else:
            joined.append(step)
    return joined
