"""The verdict on the analytics: every counter that differs from what was accepted is found and named."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from conductor.capstones.analytics.checker import judge
from conductor.capstones.analytics.events import AHEAD_MS, OLD_MS, Shape, drawn, marker, ndjson, rows_of
from conductor.capstones.analytics.evidence import Evidence
from conductor.capstones.analytics.promises import Accepted, Baseline, Intent, Refused, Told

NOW_MS = 1_764_335_000_123
MINUTE, HOUR = NOW_MS // 60_000, NOW_MS // 3_600_000
ROW = ("load-u1", "load-c1", "like", NOW_MS)
COUNTED: Mapping[str, Mapping[str, int]] = {
    f"c:like:{MINUTE}": {"load-c1": 1},
    "ct:like": {"load-c1": 1},
    f"u:{HOUR}": {"load-u1": 1},
    f"t:like:{HOUR}": {str(MINUTE): 1},
}
ANSWERS: dict[str, Accepted | Refused | None] = {
    "accepted": Accepted(NOW_MS / 1000 + 0.1, "k", 1, (), 1),
    "refused": Refused(NOW_MS / 1000 + 0.1, "k", 400, "no"),
    "given up": Refused(NOW_MS / 1000 + 0.1, "k", None, "no answer"),
    "never answered": None,
}


def told(*rows: Any, answer: str = "accepted", **changes: Any) -> Told:
    intent = Intent(NOW_MS / 1000, "k", "load-", rows=rows or (ROW,))
    found = ANSWERS[answer]
    accepted = {"k": found} if isinstance(found, Accepted) else {}
    refused = {"k": found} if isinstance(found, Refused) else {}
    return Told(**{"intents": {"k": intent}, "accepted": accepted, "refused": refused, "kills": (), **changes})


def faults(evidence: Evidence, *, only_told: bool = True) -> list[tuple[str, str]]:
    return sorted((one.fault, one.subject) for one in judge(evidence, only_told=only_told).findings)


def grown(counters: Mapping[str, Mapping[str, int]], by: int) -> dict[str, dict[str, int]]:
    return {key: {name: count + by for name, count in fields.items()} for key, fields in counters.items()}


@pytest.mark.parametrize(
    ("answer", "counters", "fault"),
    [
        ("accepted", COUNTED, None),
        ("accepted", {}, "lost"),
        ("accepted", grown(COUNTED, 1), "doubled"),
        ("refused", {}, None),
        ("refused", COUNTED, "doubled"),
        ("given up", {}, None),
        ("given up", COUNTED, None),
        ("given up", grown(COUNTED, 1), "doubled"),
        ("never answered", COUNTED, None),
        ("never answered", grown(COUNTED, 1), "doubled"),
    ],
)
def test_each_of_the_four_counters_is_compared(
    answer: str, counters: Mapping[str, Mapping[str, int]], fault: str | None
) -> None:
    found = faults(Evidence(told(answer=answer), counters, NOW_MS / 1000))

    subjects = [f"{key} {name}" for key, fields in COUNTED.items() for name in fields]
    assert sorted((fault, subject) for subject in subjects if fault) == found


@pytest.mark.parametrize("key", COUNTED)
def test_one_counter_that_differs_is_named(key: str) -> None:
    ((name, _),) = COUNTED[key].items()
    verdict = judge(Evidence(told(), {**COUNTED, key: {name: 0}}, NOW_MS / 1000), only_told=True)

    assert [("lost", f"{key} {name}")] == [(one.fault, one.subject) for one in verdict.findings]
    # What all clients share does not tell whose request lacks it.
    assert (1 if key.startswith("t:") else 0) == verdict.completed


def test_an_event_that_was_refused_is_not_expected() -> None:
    answer = Accepted(NOW_MS / 1000, "k", 1, (1,), 1)
    counters = {**COUNTED, "apart": {"refused": 1}}
    evidence = Evidence(told(ROW, None, accepted={"k": answer}), counters, NOW_MS / 1000)
    uncounted = Evidence(evidence.told, COUNTED, NOW_MS / 1000)

    assert [] == faults(evidence)
    assert [("lost", "apart refused")] == faults(uncounted)


def test_an_event_of_a_bot_is_counted_by_its_kind_alone() -> None:
    (row,) = rows_of(
        [b'{"id": "1", "user": "load-u1", "content": "load-c1", "kind": "like", "at_ms": %d, "bot": true}' % NOW_MS]
    )

    assert [] == faults(Evidence(told(row), {"apart": {"flagged:like": 1}}, NOW_MS / 1000))
    assert ("lost", "apart flagged:like") in faults(Evidence(told(row), COUNTED, NOW_MS / 1000))


@pytest.mark.parametrize(("shift", "field"), [(-OLD_MS, "late:like"), (AHEAD_MS, "future:like")])
def test_an_event_out_of_time_is_counted_by_its_kind_alone(shift: int, field: str) -> None:
    row = ("load-u1", "load-c1", "like", NOW_MS + shift)

    assert [] == faults(Evidence(told(row), {"apart": {field: 1}}, NOW_MS / 1000))
    assert ("lost", f"apart {field}") in faults(Evidence(told(row), COUNTED, NOW_MS / 1000))


def test_an_event_that_may_have_become_late_under_way_is_right_either_way() -> None:
    row = ("load-u1", "load-c1", "like", NOW_MS - 24 * 3_600_000)
    late_answer = {"k": Accepted(NOW_MS / 1000 + 120, "k", 1, (), 1)}
    asked = told(row, accepted=late_answer)
    minute = row[3] // 60_000
    in_time = {f"c:like:{minute}": {"load-c1": 1}, "ct:like": {"load-c1": 1}, f"u:{minute // 60}": {"load-u1": 1}}

    assert [] == faults(Evidence(asked, {"apart": {"late:like": 1}}, NOW_MS / 1000))
    assert [] == faults(Evidence(asked, {**in_time, f"t:like:{minute // 60}": {str(minute): 1}}, NOW_MS / 1000))


def test_other_loads_are_left_out_when_only_the_told_is_judged() -> None:
    others = {**COUNTED, "ct:like": {"load-c1": 1, "other-c1": 7}, f"t:like:{HOUR}": {str(MINUTE): 8}}
    before = (Baseline(0.0, {f"t:like:{HOUR}": {str(MINUTE): 7}}),)

    assert [] == faults(Evidence(told(baselines=before), others, NOW_MS / 1000))
    assert [("doubled", "ct:like other-c1"), ("doubled", f"t:like:{HOUR} {MINUTE}")] == faults(
        Evidence(told(), others, NOW_MS / 1000), only_told=False
    )


def test_counters_that_may_have_expired_are_not_judged() -> None:
    three_days = NOW_MS / 1000 + 3 * 86_400

    found = faults(Evidence(told(), {}, three_days))
    assert [("lost", "ct:like load-c1"), ("lost", f"t:like:{HOUR} {MINUTE}"), ("lost", f"u:{HOUR} load-u1")] == found


def test_a_history_holds_the_seed_of_what_was_drawn() -> None:
    shape = Shape(events=200, late=0.1, future=0.1, hot=0.2)
    rows = drawn("load-", 3, 7, NOW_MS, shape)
    intent = Intent(NOW_MS / 1000, "k", "load-", 3, 7, NOW_MS, asdict(shape))

    assert rows == intent.events() == rows_of(ndjson("k", rows).split(b"\n"))
    assert ("load-clients", marker("load-"), "view", NOW_MS) == rows[0]
    assert 1 == sum(row[1] == marker("load-") for row in rows)
    assert 0 < sum(row[3] > NOW_MS for row in rows) < 50 > sum(row[3] < NOW_MS - OLD_MS for row in rows) > 0
