"""Events that are sent: each request until it is answered, and a history by which what came of it can be judged."""

from pathlib import Path
from typing import Any, Self

import pytest

from conductor.capabilities import Flush, Target
from conductor.capstones.analytics import promises, sending
from conductor.capstones.analytics.checker import expected
from conductor.capstones.analytics.events import Shape
from conductor.errors import ApiRefused, ApiUnreachable
from conductor.harness import load, targeted_kill
from conductor.history import Journal

SHAPE = Shape(events=50, users=5, contents=5)


class Edge:
    """An API in memory that answers each key's first requests with what it was told to; it refuses lines that are no JSON objects."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = troubles
        self.asked: dict[str, list[bytes]] = {}
        self.doors: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, key: str, body: bytes, door: str) -> dict[str, Any]:
        self.doors.add(door)
        asked = self.asked.setdefault(key, [])
        asked.append(body)
        if len(asked) <= len(self.troubles):
            raise self.troubles[len(asked) - 1]
        lines = body.split(b"\n")
        refused = [{"index": i, "reason": "no JSON"} for i, line in enumerate(lines) if not line.startswith(b"{")]
        return {"accepted": len(lines) - len(refused), "refused": refused}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask again at once."""
    monkeypatch.setattr(load, "FIRST_BACKOFF_SECONDS", 0.001)


def drawn(edge: Edge, folder: Path) -> tuple[sending.Sent, promises.Told]:
    journal = Journal(folder / "send.jsonl")
    sent = sending.of_drawn(lambda: edge, journal, SHAPE, seed=1, rate=5000, seconds=0.1)  # type: ignore[arg-type, return-value]
    journal.close()
    return sent, promises.read([journal.path])


def test_a_request_is_repeated_with_its_key_and_body_until_it_is_answered(tmp_path: Path) -> None:
    edge = Edge(ApiUnreachable("gone"), ApiRefused(503, "busy", 0.001))
    sent, told = drawn(edge, tmp_path)

    assert (500, 500, 20) == (sent.events, sent.accepted, sent.repeats)
    assert {3} == {len(bodies) for bodies in edge.asked.values()}
    assert all(len(set(bodies)) == 1 for bodies in edge.asked.values())
    assert (500, 0) == (expected(told).events, expected(told).unsure)


def test_a_request_that_is_refused_is_not_expected_to_be_counted(tmp_path: Path) -> None:
    sent, told = drawn(Edge(*[ApiRefused(413, "too long")] * 9), tmp_path)

    assert (0, {"the API answered 413: too long": 500}) == (sent.accepted, dict(sent.unanswered))
    assert (0, 0) == (expected(told).events, expected(told).unsure)


def test_a_file_is_sent_line_by_line_and_what_is_refused_is_named(tmp_path: Path) -> None:
    good = b'{"id":"1","user":"u","content":"c","kind":"like","at_ms":1764335000123}'
    (tmp_path / "events.ndjson").write_bytes(b"\n".join([good, b"nonsense", b"", good, good]) + b"\n")
    journal = Journal(tmp_path / "send.jsonl")
    edge = Edge()
    sent = sending.of_file(lambda: edge, journal, tmp_path / "events.ndjson", request=2, rate=1000)  # type: ignore[arg-type, return-value]
    journal.close()

    assert (4, 3, {"no JSON": 1}) == (sent.events, sent.accepted, dict(sent.refused))
    assert {(b"\n".join([good, b"nonsense"]),), (b"\n".join([good, good]),)} == {*map(tuple, edge.asked.values())}
    assert 3 == expected(promises.read([journal.path])).events


@pytest.mark.parametrize(("backfill", "counted"), [(True, 1), (False, 0)])
def test_a_file_goes_by_the_door_that_is_named_and_by_that_of_backfills_nothing_is_late(
    tmp_path: Path, backfill: bool, counted: int
) -> None:
    old = b'{"id":"1","user":"u","content":"c","kind":"like","at_ms":946684800000}'
    (tmp_path / "events.ndjson").write_bytes(old)
    journal, edge = Journal(tmp_path / "send.jsonl"), Edge()
    sending.of_file(lambda: edge, journal, tmp_path / "events.ndjson", request=2, rate=1000, backfill=backfill)  # type: ignore[arg-type, return-value]
    journal.close()
    least = expected(promises.read([journal.path])).least

    assert {"/backfill" if backfill else "/events"} == edge.doors
    assert (counted, 1 - counted) == (least["ct:like"]["c"], least["apart"]["late:like"])


def test_a_worker_of_batches_is_never_hit_by_its_children() -> None:
    batches, tasks = Target("aggregate", flush=Flush("counters", lambda access: 0, "fcall")), Target("tasks")
    planned = list(targeted_kill.schedule([batches, tasks], 12, seed=1))

    assert {("aggregate", "tree"), ("tasks", "tree"), ("tasks", "child")} == {
        (target.pool, which) for target, which, _ in planned
    }
