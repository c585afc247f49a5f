"""What a grading says of checks that do not run, or that break."""

import dataclasses
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conductor.laptop.servers import rabbitmq
from grader import checks, grading
from grader.adapters import rabbitmq as rabbitmq_server
from grader.adapters import scratch
from grader.adapters.box import Job, Running, Unconfined
from grader.domain.lab import Check, Lab
from grader.domain.verdict import Finding, Outcome, Result
from grader.errors import Interrupted, TooBusy, Unable
from grader.grading import grade
from grader.session import Session, failed, passed


def graded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *asked: Check) -> Result:
    """A grading of checks whose kinds are played: "breaks", "lacks", "fails" or "passes"."""

    def kind(name: str) -> Any:
        def run(parameters: object, session: Session) -> Finding:
            if name == "breaks":
                raise ZeroDivisionError("division by zero")
            if name == "lacks":
                raise Unable("there is no port left")
            return passed("fine") if name == "passes" else failed("wrong", "not fine")

        return run

    monkeypatch.setattr(checks, "run", kind)
    (tmp_path / "work").mkdir()
    lab = Lab("lab", "foundations", 3, (), "Lab", 1, ("valkey", "rabbitmq"), asked, "1")
    return grade(lab, tmp_path, tmp_path / "work", Unconfined(), seed=1)


def outcomes(result: Result) -> list[tuple[Outcome, str]]:
    return [(verdict.outcome, verdict.because) for verdict in result.verdicts]


def test_what_a_check_raises_is_the_graders_fault_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [Check(name, name, 1, name, None) for name in ("breaks", "lacks", "passes")]

    result = graded(tmp_path, monkeypatch, *asked)

    assert outcomes(result) == [
        (Outcome.ERROR, "the grader could not judge this: ZeroDivisionError: division by zero"),
        (Outcome.ERROR, "the grader could not judge this: there is no port left"),
        (Outcome.PASSED, "fine"),
    ]
    assert (1, True) == (result.points, result.undecided)


def test_a_machine_that_is_too_busy_is_told_from_a_grader_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kind(name: str) -> Any:
        def run(parameters: object, session: Session) -> Finding:
            raise TooBusy("it took 9 s") if name == "busy" else Unable("there is no port left")

        return run

    monkeypatch.setattr(checks, "run", kind)
    (tmp_path / "work").mkdir()
    asked = tuple(Check(name, name, 1, name, None) for name in ("busy", "broken"))
    lab = Lab("lab", "foundations", 2, (), "Lab", 1, (), asked, "1")

    verdicts = grade(lab, tmp_path, tmp_path / "work", Unconfined(), seed=1).verdicts

    assert [(Outcome.ERROR, "busy"), (Outcome.ERROR, "grader")] == [(one.outcome, one.reason) for one in verdicts]
    assert "this machine is too busy to tell: it took 9 s" in verdicts[0].because


def test_a_check_that_fails_on_a_full_disk_is_not_held_against_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([2**30, 2**30, 0])
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda path: SimpleNamespace(free=next(free)))
    asked = [Check(name, name, 1, name, None) for name in ("passes", "fails", "fails")]

    result = graded(tmp_path, monkeypatch, *asked)

    assert [Outcome.PASSED, Outcome.FAILED, Outcome.ERROR] == [outcome for outcome, _ in outcomes(result)]
    assert "there is no room to grade" in outcomes(result)[2][1]


def test_what_a_box_takes_to_start_a_program_is_no_time_of_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Unconfined):
        def run(self, job: Job) -> Running:
            time.sleep(1.5)
            return super().run(job)

    def starts(name: str) -> Any:
        def run(parameters: object, session: Session) -> Finding:
            session.start([sys.executable, "-c", ""])
            return passed("in time") if session.left() else failed("late", "no time was left")

        return run

    monkeypatch.setattr(checks, "run", starts)
    monkeypatch.setattr(grading, "GRACE_SECONDS", 0.05)
    lab = Lab("lab", "foundations", 1, (), "Lab", 1, (), (Check("one", "One", 1, "starts", None, seconds=1.2),), "1")
    (tmp_path / "work").mkdir()

    result = grade(lab, tmp_path, tmp_path / "work", Slow(), seed=1)

    assert [(Outcome.PASSED, "in time")] == outcomes(result)


def test_a_grading_that_is_told_to_stop_has_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, began = threading.Event(), threading.Event()

    def for_ever(name: str) -> Any:
        def run(parameters: object, session: Session) -> Finding:
            began.set()
            time.sleep(60)
            return passed("never")

        return run

    monkeypatch.setattr(checks, "run", for_ever)
    lab = Lab("lab", "foundations", 1, (), "Lab", 1, (), (Check("one", "One", 1, "waits", None),), "1")
    with ThreadPoolExecutor(1) as pool:
        graded = pool.submit(grade, lab, tmp_path, tmp_path, Unconfined(), stop=stop)
        assert began.wait(10)
        stop.set()

        with pytest.raises(Interrupted):
            graded.result(5)


@pytest.mark.parametrize(
    ("installed", "expected"),
    [(True, (Outcome.PASSED, "fine")), (False, (Outcome.SKIPPED, "rabbitmq is not installed on this machine"))],
)
def test_a_check_is_skipped_without_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool, expected: tuple[Outcome, str]
) -> None:
    monkeypatch.setattr(rabbitmq, "installed", lambda: installed)

    result = graded(tmp_path, monkeypatch, Check("one", "One", 1, "passes", None, servers=("rabbitmq",)))

    assert [expected] == outcomes(result)


def test_what_needs_a_failed_check_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [Check("first", "First", 1, "breaks", None), Check("second", "Second", 1, "passes", None, needs=("first",))]

    result = graded(tmp_path, monkeypatch, *asked)

    assert (Outcome.SKIPPED, "it needs what did not pass: First") == outcomes(result)[1]


@pytest.mark.parametrize("started", [True, False])
def test_a_result_names_the_versions_of_the_brokers_that_were_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    monkeypatch.setattr(rabbitmq_server, "RabbitMQ", lambda folder: SimpleNamespace(version="4.3.1", end=lambda: None))

    def kind(name: str) -> Any:
        def run(parameters: object, session: Session) -> Finding:
            return passed(session.rabbitmq.version if started else "Valkey alone")

        return run

    monkeypatch.setattr(checks, "run", kind)
    (tmp_path / "work").mkdir()
    lab = Lab("lab", "foundations", 1, (), "Lab", 1, ("rabbitmq",), (Check("one", "One", 1, "asks", None),), "1")

    versions = grade(lab, tmp_path, tmp_path / "work", Unconfined(), seed=1).versions

    assert {"python", "celery", "valkey", *(["rabbitmq"] if started else [])} == set(versions)
    assert ("4.3.1" if started else None) == versions.get("rabbitmq")


def test_a_result_without_a_box_counts_for_no_exam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = graded(tmp_path, monkeypatch, Check("passes", "passes", 1, "passes", None))
    confined = dataclasses.replace(result, confined=True)

    assert (True, False) == (result.passed, result.may_count)
    assert confined.may_count
    assert not dataclasses.replace(confined, practice=True).may_count


def test_a_grading_that_the_grader_failed_at_counts_for_no_exam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = graded(tmp_path, monkeypatch, Check("lacks", "lacks", 1, "lacks", None))

    assert not dataclasses.replace(result, confined=True).may_count
