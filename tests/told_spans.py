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


def entry_of_batch_or_input(span: Row | Span) -> str:
    """Under which name the registry has a span of the analytics or the trading."""
    verb, kind = span.name.partition(" ")[0], KINDS[span.kind]
    if kind == "SERVER":
        return "request"
    if verb == "send":
        return "send" if "celery.task_name" in span.attributes else "send_batch"
    if verb == "process":
        return "process_message" if "celery.task_name" in span.attributes else "flush"
    return {"engine": "engine", "wait": "wait_journal", "apply": "apply"}[verb]


def unrouted(span: Row | Span) -> bool:
    """Whether it is a request that no route took, which has no name to have."""
    return span.name == "GET" and "http.route" not in span.attributes


def against_registry(
    spans: Sequence[Told],
    entry_of: Callable[[Told], str],
    *,
    outside: Collection[tuple[str, str]] = (),
    nameless: Callable[[Told], bool] = lambda span: False,
) -> list[tuple[Any, ...]]:
    """The spans that differ from their entry: which of its rules each breaks, what it was taken for, and the span.

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
        kept = {
            "name": bool(re.fullmatch(pattern, span.name)) or nameless(span),
            "kind": entry["kind"] == KINDS[span.kind],
            f"parent {parent}": parent in entry["parents"],
            f"links {sorted(links)}": links <= set(entry["links"]),
            "attributes": set(entry["attributes"]) <= set(span.attributes) <= allowed,
            "events": {name for name, *_ in span.events} <= set(entry.get("events", ())),
            "error": span.failed == ("error.type" in span.attributes),
        }
        if broken := [rule for rule, holds in kept.items() if not holds]:
            wrong.append((broken, entry_of(span), span))
    return wrong


def linked_and_lost(spans: Sequence[Told]) -> set[tuple[str, str]]:
    """Trace and id of each span that another one is linked with and that is not there."""
    return {to for span in spans for to in span.links} - {(span.trace, span.id) for span in spans}


def compared(spans: Sequence[Told], wrong: Sequence[tuple[Any, ...]]) -> str:
    """How much was held against the registry, and what of it differs, in a line."""
    traces = len({span.trace for span in spans})
    parents, links = sum(bool(span.parent) for span in spans), sum(len(span.links) for span in spans)
    orphans = sum("parent orphan" in broken for broken, *_ in wrong)
    return f"{len(spans)} spans of {traces} traces, {parents} parents and {links} links: {len(wrong)} differ, {orphans} orphans"


def of_probes(spans: Sequence[Told]) -> list[str]:
    """The names of spans that a probe or a scrape made."""
    return [span.name for span in spans if "health" in span.name or "metrics" in span.name]


def entries_of(capstone: str) -> set[str]:
    """The names of the registry's entries that a capstone's spans have."""
    return {name for name, entry in REGISTRY["spans"].items() if capstone in entry["of"]}
