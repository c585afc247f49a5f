"""Queries of dashboards and rules, taken apart so that each piece can be asked."""

import pytest

from conductor.observability import queries
from conductor.observability.registry import load

REGISTRY = load()
ASKED = queries.queries(REGISTRY, "15s")
LISTED = {**REGISTRY.only_in_faults, **REGISTRY.for_moments, **REGISTRY.not_on_laptops}

SELECTORS = {
    "a metric": ("max(up)", ["up"]),
    "labels": ('sum by (pool) (rate(a_total{x=~"[.]{2}", y!="}"}[5m]))', ['a_total{x=~"[.]{2}", y!="}"}']),
    "no labels": ("sum(a_b{})", ["a_b"]),
    "groupings": ("a_b * on (c_d, e_f) group_left (g_h) i_j", ["a_b", "i_j"]),
    "functions and numbers": ("time() - a_b > 14 * 86400", ["a_b"]),
    "one twice": ("a_b or a_b * 0", ["a_b"]),
    "a recorded ratio": ('slo:error_ratio:300s{slo="x"} > 0.1', ['slo:error_ratio:300s{slo="x"}']),
}

PIECES = {
    "a comparison": ("max (a_b) > 60", ["max ( a_b )", "a_b"]),
    "the other way round": ("1 - a_b < 14 * 86400 and c_d", ["1 - a_b and c_d", "a_b", "c_d"]),
    "what must not be": ("a_b > 1 unless on (x) c_d > 0", ["a_b and on ( x ) c_d", "a_b", "c_d"]),
    "either": ("max(a_b) == 0 or c_d", ["max ( a_b )", "c_d", "max ( a_b ) or c_d", "a_b"]),
    "either, inside": ("(a_b or c_d) / e_f", ["( a_b or c_d ) / e_f", "a_b", "c_d", "e_f"]),
    "a window": ('rate(a_b{c="[1m]"}[5m])', ['rate ( a_b{c="[1m]"}[15s] )', 'a_b{c="[1m]"}']),
    "of Grafana": ("rate(a_b[$__rate_interval])", ["rate ( a_b[15s] )", "a_b"]),
}


@pytest.mark.parametrize(("query", "found"), SELECTORS.values(), ids=SELECTORS)
def test_a_query_names_series(query: str, found: list[str]) -> None:
    assert found == queries.selectors(query)


@pytest.mark.parametrize(("query", "found"), PIECES.values(), ids=PIECES)
def test_a_query_is_taken_apart(query: str, found: list[str]) -> None:
    assert found == queries.pieces(query, "15s")


def test_every_panel_and_every_rule_is_asked() -> None:
    boards = {query.board for query in ASKED}
    of_rules = {query.where for query in ASKED if not query.board}

    assert boards == {"", *(file.stem for file in queries.DASHBOARDS.glob("*.json"))}
    assert REGISTRY.alerts.keys() - of_rules == {"Watchdog"}
    assert {f"slo:error_ratio:300s of {name}" for name in REGISTRY.slos} < of_rules


def test_sources_are_those_of_the_metrics() -> None:
    sources = {query.expr: query.sources for query in ASKED}

    assert {"prometheus"} == sources["slo:error_ratio:3600s"] == sources['ALERTS{alertname="Watchdog"}']
    assert {"worker"} == sources["analytics_visible_seconds_bucket"]
    assert {"exporter", "worker"} == next(sources[expr] for expr in sources if "orders_undecided_late ) or" in expr)


def test_what_needs_a_fault_excuses_what_has_nothing_without_it_and_nothing_else() -> None:
    excused = {query.expr for query in ASKED if queries.excused(query, LISTED)}

    assert "sum by ( capstone ) ( chassis_parked_records )" in excused
    assert ["JournalGap"] == [query.where for query in ASKED if query.expr in excused and " or " in query.expr]
    assert {
        "sum by ( capstone ) ( chassis_parked_records ) or sum by ( capstone ) ( chassis_database_up ) * 0"
    } & excused == set()


def test_each_entry_of_the_lists_is_asked_for() -> None:
    named = {one for query in ASKED for one in query.selectors}

    assert set() == LISTED.keys() - named - {queries.metric(one) for one in named}
