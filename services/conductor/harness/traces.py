"""The traces of one order or request: out of this machine's store, or out of Jaeger or Tempo by their query APIs.

Sources: https://www.jaegertracing.io/docs/2.13/architecture/apis/, https://grafana.com/docs/tempo/latest/api_docs/. Both are asked for the
traces in which a span names it. The messages that carried it name none: only the store of this machine follows the links to them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from conductor import http_client
from conductor.errors import ClusterFailed
from conductor.laptop.trace_store import traces_of

ANSWER_SECONDS = 20.0
LOOK_BACK_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Span:
    """`began` in seconds since the epoch; `parent` empty at the root; `pool` is where it ran."""

    trace: str
    id: str
    parent: str
    name: str
    pool: str
    began: float
    seconds: float
    failed: bool
    attributes: Mapping[str, str]
    events: Sequence[tuple[str, float, Mapping[str, Any]]] = ()
    """Name, seconds since the epoch, attributes."""
    links: Sequence[tuple[str, str]] = ()
    """Trace and span."""
    kind: int = 0
    """As in OTLP; 0 where nobody told."""


KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
JAEGERS_OWN = re.compile(r"span\.kind|error|(otel|internal)\..*")
"""Tags in which Jaeger tells what is no attribute."""


def kept(file: Path, attribute: str, value: str) -> list[Span]:
    """Every span of every trace in which this attribute has this value, of those that this machine keeps."""
    return [
        Span(row.trace, row.id, row.parent, row.name, row.pool, row.began, row.seconds, row.failed,
             {key: str(value) for key, value in row.attributes.items()}, row.events, row.links, row.kind)
        for row in traces_of(file, attribute, value)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """Spans of a service in which this attribute has this value."""

    service: str
    attribute: str
    value: str


def found(kind: str, address: str, asked: Asked, *, now: float) -> list[Span]:
    """Every span of every trace that has such a span; `kind` is `jaeger` or `tempo`. Raises ClusterFailed when it does not answer."""
    ask = _jaeger if kind == "jaeger" else _tempo
    try:
        with http_client.client(address, timeout=ANSWER_SECONDS) as http:
            return list(ask(http, asked, now))
    except httpx.HTTPError as error:
        raise ClusterFailed(f"{kind} cannot be asked: {error}") from error


def _jaeger(http: httpx.Client, asked: Asked, now: float) -> Iterator[Span]:
    query = {
        "service": asked.service,
        "tags": json.dumps({asked.attribute: asked.value}),
        "start": str(int((now - LOOK_BACK_SECONDS) * 1e6)),
        "end": str(int((now + 60) * 1e6)),
        "limit": "100",
    }
    for trace in http.get("/api/traces", params=query).raise_for_status().json().get("data") or []:
        yield from of_jaeger(trace)


def of_jaeger(trace: Mapping[str, Any]) -> Iterator[Span]:
    """The spans of a trace as Jaeger tells it."""
    for span in trace["spans"]:
        tags = _tags(span["tags"])
        process = _tags(trace["processes"][span["processID"]]["tags"])
        logs = [(_tags(log["fields"]), log["timestamp"] / 1e6) for log in span.get("logs") or []]
        references = span.get("references") or []
        parents = [one["spanID"] for one in references if one["refType"] == "CHILD_OF"]
        links = [(one["traceID"], one["spanID"]) for one in references if one["refType"] != "CHILD_OF"]
        yield Span(
            trace=trace["traceID"],
            id=span["spanID"],
            parent=parents[0] if parents else "",
            name=span["operationName"],
            pool=process.get("pool", ""),
            began=span["startTime"] / 1e6,
            seconds=span["duration"] / 1e6,
            failed=tags.get("otel.status_code") == "ERROR" or tags.get("error", "").lower() == "true",
            attributes={key: value for key, value in tags.items() if not JAEGERS_OWN.fullmatch(key)}
            | ({"status": why} if (why := tags.get("otel.status_description")) else {}),
            events=[(told.pop("event", ""), at, told) for told, at in logs],
            links=links,
            kind=KINDS.get(tags.get("span.kind", ""), 0),
        )


def _tags(tags: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {tag["key"]: str(tag["value"]) for tag in tags}


def _tempo(http: httpx.Client, asked: Asked, now: float) -> Iterator[Span]:
    query = {
        "q": f'{{ span.{asked.attribute} = "{asked.value}" }}',
        "start": str(int(now - LOOK_BACK_SECONDS)),
        "end": str(int(now + 60)),
        "limit": "100",
    }
    for hit in http.get("/api/search", params=query).raise_for_status().json().get("traces") or []:
        whole = http.get(f"/api/traces/{hit['traceID']}", headers={"Accept": "application/json"}).raise_for_status()
        yield from of_tempo(hit["traceID"], whole.json())


def of_tempo(trace_id: str, trace: Mapping[str, Any]) -> Iterator[Span]:
    """The spans of a trace as Tempo tells it, in OTLP's JSON."""
    for batch in trace.get("batches") or trace.get("resourceSpans") or []:
        resource = _attributes(batch["resource"])
        for scope in batch.get("scopeSpans") or []:
            for span in scope["spans"]:
                began, ended = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                yield Span(
                    trace=trace_id,
                    id=span["spanId"],
                    parent=span.get("parentSpanId", ""),
                    name=span["name"],
                    pool=resource.get("pool", ""),
                    began=began / 1e9,
                    seconds=(ended - began) / 1e9,
                    failed=span.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR"),
                    attributes=_attributes(span)
                    | ({"status": why} if (why := span.get("status", {}).get("message")) else {}),
                    events=[
                        (event["name"], int(event["timeUnixNano"]) / 1e9, _attributes(event))
                        for event in span.get("events") or []
                    ],
                    links=[(link["traceId"], link["spanId"]) for link in span.get("links") or []],
                    kind=KINDS.get(str(span.get("kind", "")).removeprefix("SPAN_KIND_").lower(), 0),
                )


def _attributes(owner: Mapping[str, Any]) -> dict[str, str]:
    return {entry["key"]: str(next(iter(entry["value"].values()), "")) for entry in owner.get("attributes") or []}
