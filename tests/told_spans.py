"""What a platform tells of its work in spans, held against observability/registry.yaml."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from conductor.harness.traces import Span
from conductor.laptop.trace_store import Row
from conductor.run_directory import RunDirectory

Told = TypeVar("Told", Row, Span)
"""A span as this machine's store has it, or as Jaeger tells it."""


REGISTRY = yaml.safe_load((Path(__file__).parents[1] / "observability/registry.yaml").read_text())
KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}


def capstone(run: RunDirectory, *arguments: str) -> str:
    """What the command printed; it must not fail."""
    environment = {**os.environ, "CAPSTONE_RUN_DIR": str(run.path), "COLUMNS": "160"}
    environment.pop("BROKER_URL", None)
    command = [sys.executable, "-m", "conductor", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def entry_of_order(span: Row | Span) -> str:
    """Under which name the registry has a span of the orders."""
    kind = KINDS[span.kind]
    by_kind = {"SERVER": "request", "PRODUCER": "send", "INTERNAL": "wait"}
    if kind == "CONSUMER":
        return "process" if "attempt" in span.attributes else "process_message"
    return by_kind.get(kind) or ("mail" if span.name == "SMTP DATA" else "call")


def against_registry(
    spans: Sequence[Told],
    entry_of: Callable[[Told], str],
    *,
    outside: Collection[tuple[str, str]] = (),
    nameless: Callable[[Told], bool] = lambda span: False,
) -> list[tuple[Any, ...]]:
    """The spans that differ from their entry in name, kind, parent, links, attributes, events or error; each with what it was taken for.

    `entry_of` tells under which name the registry has a span, `outside` are spans of others that may be linked, and `nameless` tells which
    span need not have the name of its entry.
    """
    known = {(span.trace, span.id): span for span in spans}
    wrong: list[tuple[Any, ...]] = []
    for span in spans:
        entry = REGISTRY["spans"][entry_of(span)]
        pattern = re.sub(r"\\{\w+\\}", r"\\S+", re.escape(entry["name"]))
        above = known.get((span.trace, span.parent))
        parent = "none" if not span.parent else "orphan" if above is None else entry_of(above)
        links = {"outside" if to in outside else entry_of(known[to]) if to in known else "lost" for to in span.links}
        allowed = {*entry["attributes"], *entry.get("optional", ()), "error.type", "status"}
        if (
            not (re.fullmatch(pattern, span.name) or nameless(span))
            or entry["kind"] != KINDS[span.kind]
            or parent not in entry["parents"]
            or not links <= set(entry["links"])
            or not set(entry["attributes"]) <= set(span.attributes) <= allowed
            or not {name for name, *_ in span.events} <= set(entry.get("events", ()))
            or span.failed != ("error.type" in span.attributes)
        ):
            wrong.append((entry_of(span), parent, links, span))
    return wrong
