"""Asks the Prometheus of a watched laptop platform what its dashboards and rules ask, piece by piece."""

from collections.abc import Iterable
from typing import Any

from conductor import http_client
from conductor.laptop.runtime import LocalRuntime
from conductor.observability.queries import Query

WINDOW = "15s"
"""Over which rates are taken: some scrapes, as of a drill's platform a second apart, and not long after a process has died."""


def result(runtime: LocalRuntime, query: str) -> list[dict[str, Any]]:
    """What Prometheus has for a query now."""
    url = f"http://127.0.0.1:{runtime.platform.state.ports['prometheus']}/api/v1/query"
    found = http_client.request("GET", url, params={"query": query}, timeout=30).raise_for_status().json()
    return list(found["data"]["result"])


def with_data(runtime: LocalRuntime, asked: Iterable[Query]) -> set[Query]:
    """Those of the queries that find a number now; a share of nothing, or a percentile of nothing, is none."""
    return {query for query in asked if any(one["value"][1] != "NaN" for one in result(runtime, query.expr))}


def known(runtime: LocalRuntime, query: Query, since: float, capstone: str = "") -> list[dict[str, Any]]:
    """What Prometheus answers to a query now, of one capstone if it is named, by series of which a sample came after a time (unix).

    A series that no scrape has shown any longer since before that is not counted: Prometheus may keep one for five minutes whose labels
    changed, as a state that a process is in, while it took a new configuration.
    """
    answer = about(capstone, query, result(runtime, query.expr))
    fresh = (about(capstone, query, result(runtime, f"timestamp({one}) > {since}")) for one in query.selectors)
    return answer if answer and any(fresh) else []


def about(capstone: str, query: Query, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What of a query's result is a capstone's: all of it on the capstone's own dashboard, else by its labels; all where none is named."""
    return [
        one
        for one in found
        if capstone in ("", query.board)
        or one["metric"].get("capstone") == capstone
        or one["metric"].get("queue", "").startswith(f"{capstone}.")
    ]
