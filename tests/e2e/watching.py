"""A capstone whose every span goes to a real Jaeger behind a real collector, and what Jaeger has of it.

The overlay is observability-jaeger, every trace is recorded, and a worker's child is replaced after each task. STORIES is how many there
are of each kind; in the folder that STORIES_KEPT names is kept what was judged.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx

from conductor.cluster import install, removal
from conductor.cluster.installation import Installation
from conductor.cluster.port_forward import forwarded
from conductor.cluster.runtime import KubernetesRuntime
from conductor.harness import traces
from conductor.harness.traces import Span
from conductor.waiting import until
from told_spans import against_registry, compared

STORIES = int(os.environ.get("STORIES", "3"))
OVERLAY = Path(__file__).parent / "stories" / "watched"
INSTALLED_FIRST = "orders"
WHOLE = ("--set", "settings.otelTracesSamplerArg=1")
"""Every trace is recorded."""
ENDPOINT = ("--set", "settings.otelExporterOtlpEndpoint=http://opentelemetry-collector:4318")
COME_SECONDS = 60.0
LOOK_SECONDS = 2.0
QUIET_SECONDS = 60.0
"""A trace that began longer ago has all its spans when those of the traces since then have theirs: one collector takes all in turn."""
SLICE_SECONDS = 20.0
"""Of the time that is asked for at once: an answer has all spans of the traces that were in it."""
MOST_TRACES = 20_000
"""In one answer; more would be left out without a word."""


def tell(line: str) -> None:
    """For pytest's captured output, and -s."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def brief(wrong: Sequence[Any]) -> str:
    """How many there are, and the first of them."""
    return f"{len(wrong)}: {wrong[:5]}"


@contextmanager
def watched(installation: Installation, capstone: str, *extra: str) -> Iterator[KubernetesRuntime]:
    """The platform with collector and Jaeger, and the capstone, told `extra` by helm, which sends every span; afterwards as it was."""
    runtime = KubernetesRuntime(installation.namespace, installation.tag, capstone=capstone)
    wanted = replace(
        installation, overlay=str(OVERLAY), extra=(*extra, *WHOLE, *ENDPOINT, *_children_replaced(runtime))
    )
    try:
        install.deploy(wanted, [capstone], tell)
        yield runtime
    finally:
        if capstone != INSTALLED_FIRST:
            removal.undeploy(wanted, [capstone], tell, platform=False, volumes=False)
        install.deploy(installation, [INSTALLED_FIRST], tell)


def _children_replaced(runtime: KubernetesRuntime) -> Iterator[str]:
    for name, pool in runtime.pools().items():
        if pool.role == "worker" and pool.pool_type == "prefork":
            yield from ("--set", f"pools.{name}.maxTasksPerChild=1")


def jaeger(
    runtime: KubernetesRuntime, since: float, holds: Callable[[Sequence[Span]], bool] | None = None
) -> list[Span]:
    """Every span of every trace that the capstone was at since then and until now; returns when no more of them come. Beat never rests.

    `holds` tells whether there is what is waited for, and is asked until there is, or for a minute: tests say what is missing.
    """
    with forwarded(runtime.kubectl, "traces", 16686) as address, httpx.Client(base_url=address, timeout=120) as http:

        def told(began: float, ended: float) -> list[Span]:
            return list(_told(http, runtime.capstone, began, ended))

        def come() -> bool:
            return holds is None or holds(told(since, time.time()))

        if not until(come, within_seconds=COME_SECONDS, every_seconds=LOOK_SECONDS):
            tell(f"{runtime.capstone}: what is waited for did not come in {COME_SECONDS:.0f} s")
        now, counts = time.time(), [-1]

        def quiet() -> bool:
            counts.append(len(told(max(since, now - QUIET_SECONDS), now)))
            return counts[-1] == counts[-2]

        assert until(quiet, within_seconds=COME_SECONDS, every_seconds=LOOK_SECONDS), f"spans come and come: {counts}"
        return told(since, now)


def _told(http: httpx.Client, service: str, began: float, ended: float) -> Iterator[Span]:
    found: dict[tuple[str, str], Span] = {}
    while began < ended:
        query = {
            "service": service,
            "start": str(int(began * 1e6)),
            "end": str(int(min(began + SLICE_SECONDS, ended) * 1e6)),
            "limit": str(MOST_TRACES),
        }
        answer = http.get("/api/traces", params=query).raise_for_status().json()["data"]
        assert len(answer) < MOST_TRACES
        found.update(((span.trace, span.id), span) for trace in answer for span in traces.of_jaeger(trace))
        began += SLICE_SECONDS
    yield from found.values()


def judged(
    capstone: str, spans: Sequence[Span], entry_of: Callable[[Span], str], **kinds: Any
) -> list[tuple[Any, ...]]:
    """The spans that differ from the registry; tells how much was compared. `kinds` is kept with the spans where that is asked for."""
    wrong = against_registry(spans, entry_of)
    tell(f"{capstone}: {compared(spans, wrong)}")
    tell(f"{capstone}: {dict(Counter(map(entry_of, spans)).most_common())}")
    if folder := os.environ.get("STORIES_KEPT"):
        kept = {**kinds, "spans": [asdict(span) for span in spans]}
        (Path(folder) / f"{capstone}.json").write_text(json.dumps(kept))
    return wrong
