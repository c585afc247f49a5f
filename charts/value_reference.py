"""The library chart's values as a page: each key with its default and the comment above it, written by `python charts/schemas.py`."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

HEAD = """# Values of celery-app

Written by `make charts` from [values.yaml](values.yaml). A chart that depends on the library says them under `celery-app`, or at the top of
its own values.yaml. What is beneath `defaults` can be said in each of `pools` as well. A key without a word is told of by one above it.

| key | default | what it is |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path from the top, and the comment above it, empty for none."""

    path: tuple[str, ...]
    comment: str

    def above(self, other: "Key") -> bool:
        """Whether the other one is beneath it."""
        return other.path[: len(self.path)] == self.path and other != self


def page(text: str) -> str:
    """The page of a values.yaml that is indented by two spaces, with a comment above a key and no other."""
    keys, values = list(_keys(text)), yaml.safe_load(text)
    whole: list[Key] = []
    lines = []
    for key in keys:
        if any(one.above(key) for one in whole):
            continue
        value = values
        for name in key.path:
            value = value[name]
        if not any(one.comment for one in keys if key.above(one)):
            whole.append(key)
        default = _written(value) if key in whole else ""
        lines.append(f"| `{'.'.join(key.path)}` | {default} | {key.comment.replace('|', chr(92) + '|')} |\n")
    return HEAD + "".join(lines)


def _written(value: Any) -> str:
    return f"`{json.dumps(value)}`"


def _keys(text: str) -> Iterator[Key]:
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        said = line.strip()
        if said.startswith("#"):
            comment.append(said.removeprefix("#").strip())
            continue
        if found := re.match(r"([\w./-]+):( |$)", said):
            path[(len(line) - len(said)) // 2 :] = [found[1]]
            yield Key(tuple(path), " ".join(comment))
        comment = []
