"""Whether waits grow is what the task told Celery: a busy machine adds to the gaps between requests, and to no wait."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from grader import measuring
from grader.checks import flaky_server
from grader.checks.flaky_server import Parameters
from grader.errors import TooBusy

ASKED = Parameters(
    task="fetch",
    replies=({"status": 503}, {"status": 503}, {"status": 200, "body": 7}),  # type: ignore[arg-type]
    value=7,
    requests=3,
    growing=1.4,
)


def told(said: Sequence[str], gaps: Sequence[float], slowdown: float, patch: pytest.MonkeyPatch) -> str:
    """What is said of a task whose retries told Celery this, while the requests came with these gaps."""
    patch.setattr(measuring, "slowdown", lambda: slowdown)
    retries = [
        {"status": "RETRY", "traceback": f"Traceback …\ncelery.exceptions.Retry: Retry {what}: RuntimeError('503')"}
        for what in said
    ]
    states = [SimpleNamespace(what=what) for what in (*retries, {"status": "SUCCESS", "result": 7})]
    at = time.monotonic()
    asked = [SimpleNamespace(at=at + sum(gaps[:number])) for number in range(len(gaps) + 1)]
    session: Any = SimpleNamespace(
        workers={"worker": SimpleNamespace(task=lambda name: name)},
        random=SimpleNamespace(randrange=lambda most: 0),
        http=SimpleNamespace(script=lambda *given: None, url=lambda path: path, requests=lambda path: asked),
        send=lambda *given: "id",
        left=lambda most: most,
        results=SimpleNamespace(final=lambda *given: states[-1], of=lambda task_id: states),
    )
    try:
        return flaky_server.run(ASKED, session).reason or "passed"
    except TooBusy:
        return "busy"


@pytest.mark.parametrize("slowdown", [1.0, 9.0])
@pytest.mark.parametrize(
    ("said", "gaps", "verdict"),
    [
        (("in 0.5s", "in 1.5s"), (0.52, 1.53), "passed"),
        (("in 0.5s", "in 0.5s"), (0.52, 0.53), "gaps"),
        # Beside busy cores: an even beat whose gaps grow, and a growing one whose gaps do not.
        (("in 0.5s", "in 0.5s"), (0.6, 1.4), "gaps"),
        (("in 0.5s", "in 1.5s"), (1.9, 2.1), "passed"),
        (("in 1e-05s", "in 2s"), (0.1, 2.1), "passed"),
        (("in 0s", "in 0s"), (0.02, 0.04), "gaps"),
        # Whoever says more than they wait is believed no more than the gap.
        (("in 0.5s", "in 9s"), (0.52, 0.53), "gaps"),
    ],
)
def test_a_wait_is_what_celery_was_told_however_busy_the_machine(
    monkeypatch: pytest.MonkeyPatch, said: Sequence[str], gaps: Sequence[float], slowdown: float, verdict: str
) -> None:
    assert verdict == told(said, gaps, slowdown, monkeypatch)


@pytest.mark.parametrize("said", [(), ("in 0.5s",), ("in 0.5s", "at 2026-01-01T00:00:00")])
@pytest.mark.parametrize(("gaps", "quiet"), [((0.5, 1.5), "passed"), ((0.5, 0.5), "gaps")])
def test_without_that_there_is_the_clock_and_a_busy_machine_cannot_tell(
    monkeypatch: pytest.MonkeyPatch, said: Sequence[str], gaps: Sequence[float], quiet: str
) -> None:
    assert (quiet, "busy") == (told(said, gaps, 1.0, monkeypatch), told(said, gaps, 9.0, monkeypatch))
