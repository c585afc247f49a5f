"""What pods said, also those that are gone: out of the VictoriaLogs or the Loki that an overlay brings, by their query APIs.

Sources: https://docs.victoriametrics.com/victorialogs/querying/, https://grafana.com/docs/loki/latest/reference/loki-http-api/.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from conductor import http_client
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.port_forward import forwarded, port_named
from conductor.errors import ClusterFailed

SERVICE = "logs"
KINDS = ("victoria-logs", "loki")
ANSWER_SECONDS = 20.0
LOOK_BACK_SECONDS = 3 * 24 * 3600
MOST_LINES = 5000
"""Of one answer: what Loki gives at most, unless it is told otherwise."""


def naming(kubectl: Kubectl, names: Sequence[str]) -> list[tuple[str, str]] | None:
    """The lines of the namespace in which one of these names stands, each with its pod; None where nothing keeps logs.

    Raises ClusterFailed when what keeps them does not answer.
    """
    store = port_named(kubectl, SERVICE, KINDS)
    if store is None:
        return None
    kind, port = store
    with forwarded(kubectl, SERVICE, port) as address:
        return asked(kind, address, kubectl.namespace, names, now=time.time())


def asked(kind: str, address: str, namespace: str, names: Sequence[str], *, now: float) -> list[tuple[str, str]]:
    """The same of the store at this address; `kind` is one of KINDS."""
    ask = _loki if kind == "loki" else _victoria_logs
    try:
        with http_client.client(address, timeout=ANSWER_SECONDS) as http:
            return list(ask(http, namespace, names, now))
    except httpx.HTTPError as error:
        raise ClusterFailed(f"{kind} cannot be asked: {error}") from error


def _victoria_logs(http: httpx.Client, namespace: str, names: Sequence[str], now: float) -> Iterator[tuple[str, str]]:
    said = " or ".join(map(json.dumps, names))
    query = f"{{k8s.namespace.name={json.dumps(namespace)}}} ({said}) | fields k8s.pod.name, _msg"
    asked = {"query": query, "start": str(now - LOOK_BACK_SECONDS), "limit": str(MOST_LINES)}
    yield from of_victoria_logs(http.post("/select/logsql/query", data=asked).raise_for_status().text)


def of_victoria_logs(answer: str) -> Iterator[tuple[str, str]]:
    """The lines of an answer, which is a JSON object a line, each with its pod."""
    for found in map(json.loads, answer.splitlines()):
        yield found.get("k8s.pod.name", ""), found["_msg"]


def _loki(http: httpx.Client, namespace: str, names: Sequence[str], now: float) -> Iterator[tuple[str, str]]:
    said = " or ".join(map(json.dumps, names))
    asked = {
        "query": f"{{k8s_namespace_name={json.dumps(namespace)}}} |= {said}",
        "start": str(int((now - LOOK_BACK_SECONDS) * 1e9)),
        "limit": str(MOST_LINES),
    }
    yield from of_loki(http.get("/loki/api/v1/query_range", params=asked).raise_for_status().json())


def of_loki(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The same of Loki's answer."""
    for stream in answer["data"]["result"]:
        for _, line, *_ in stream["values"]:
            yield stream["stream"].get("k8s_pod_name", ""), line
