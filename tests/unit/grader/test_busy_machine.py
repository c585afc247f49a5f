"""A check that a busy machine keeps from telling says so; that is neither the grader's fault nor a failure of `capstone lab prove`."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from grader import checks, grading, measuring
from grader.adapters import guarded, outside
from grader.adapters.box import Unconfined
from grader.adapters.outside import Outside
from grader.catalog import LABS, Catalog
from grader.checks import function, worker
from grader.clock import MOST_MORE_SECONDS
from grader.commands import commands
from grader.domain.lab import Check, Lab
from grader.domain.verdict import Finding, Outcome
from grader.errors import TooBusy, Unable
from grader.session import passed

Case = Callable[[ModuleType, pytest.MonkeyPatch], object]


def went_well(*args: object, **options: object) -> Finding:
    return passed("it does")


def no_answer(*args: object, **options: object) -> list[object]:
    return []


def ping_pong(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A worker does not say that it consumes no more."""
    patch.setattr(module, "_sound", went_well)
    patch.setattr(worker, "run", went_well)
    control = SimpleNamespace(cancel_consumer=no_answer)
    first = SimpleNamespace(node="first@lab")
    return module.not_ready(SimpleNamespace(workers={"first": first}, app=SimpleNamespace(control=control)))


def hoarder(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A worker does not say that it consumes."""
    return module._second(SimpleNamespace(workers={module.SECOND: SimpleNamespace(node="second@lab")}), no_answer)


def build_a_saga(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """The time is over, and an order ended a moment ago."""
    return module._let_happen(SimpleNamespace(left=lambda: 0.0), [])


def too_few_kills(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """All orders have ended, and no kill hit a task."""
    patch.setattr(module, "_states", lambda session: {"order": "shipped"})
    return module._judged(SimpleNamespace(), 0, 0)


def tune_workers(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """An urgent task takes 9 s, and nothing was done before it."""
    patch.setattr(module, "_workers", went_well)
    names = (module.CPU, module.URGENT)

    def final(task_id: str, seconds: float) -> object:
        return SimpleNamespace(at=time.monotonic() + 9) if task_id == module.URGENT else None

    session = SimpleNamespace(
        kept={"queues": dict(zip(names, names, strict=True))},
        send=lambda task, *args, **options: task,
        left=lambda most: most,
        events=SimpleNamespace(final=final, first=lambda *asked: "started"),
        app=SimpleNamespace(control=SimpleNamespace(revoke=no_answer)),
    )
    return module.urgent_first(session)


def lost_spans(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Tasks are as slow with a collector that answers as with one that does not."""
    patch.setattr(module, "_few", lambda session: (9.0, 3))
    return module.no_collector(SimpleNamespace(http=SimpleNamespace(script=no_answer, requests=no_answer)))


def task_patterns(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """The baseline takes longer than its sleep."""
    ended = iter([2 * module.ITEM_SECONDS * module.ITEMS] * 2)

    def final(task_id: str, seconds: float) -> object:
        return SimpleNamespace(
            at=time.monotonic() + next(ended), what={"status": "SUCCESS", "result": [0] * module.ITEMS}
        )

    session = SimpleNamespace(
        workers={"worker": SimpleNamespace(task=lambda name: name)},
        random=SimpleNamespace(randrange=lambda most: 0),
        send=lambda *asked: "id",
        left=lambda most: most,
        results=SimpleNamespace(final=final),
    )
    return module.parallel(session)


def eta_storm(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Asking for a reminder took longer than half of what it is due in."""
    came = SimpleNamespace(requests=lambda path: [SimpleNamespace(at=module.DUE_SECONDS)])
    return module.in_time(SimpleNamespace(kept={"due": {"basket": (0.0, module.DUE_SECONDS)}}, http=came))


def again_and_again(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A charge has ended when its worker is killed."""
    charges = iter([[], ["charge"], ["charge"]])
    patch.setattr(module, "_charges", lambda session: next(charges))
    patch.setattr(module, "_placed", lambda session: "order")
    patch.setattr(module, "_starts", lambda session, charge: 1)
    session = SimpleNamespace(
        in_time=lambda holds, *asked, **options: holds(),
        workers={"worker": SimpleNamespace(running=SimpleNamespace(end=no_answer))},
        events=SimpleNamespace(final=lambda *asked: "ended"),
    )
    return module.back_after_a_kill(session)


def advanced_patterns(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A producer has sent everything before it is killed, each time."""
    patch.setattr(module, "kill_pool", no_answer)

    class Broker:
        def __enter__(self) -> "Broker":
            return self

        def __exit__(self, *why: object) -> None:
            pass

        def llen(self, queue: str) -> int:
            return int(module.ITEMS)

        delete = no_answer

    session = SimpleNamespace(
        valkey=SimpleNamespace(client=Broker),
        random=SimpleNamespace(randrange=lambda most: 0),
        send=lambda *asked: "id",
        in_time=lambda holds, *asked, **options: holds(),
        workers={"worker": None},
    )
    return module._killed(session)


BY_THE_MACHINE: list[tuple[str, str, Case]] = [
    ("build-a-saga", "saga", build_a_saga),
    ("lost-spans", "spans", lost_spans),
    ("task-patterns", "patterns", task_patterns),
    ("tune-workers", "tuned", tune_workers),
]
"""Where what was seen shows by itself that other work is to blame."""

PERHAPS: list[tuple[str, str, Case]] = [
    ("advanced-patterns", "advanced", advanced_patterns),
    ("again-and-again", "again", again_and_again),
    ("build-a-saga", "saga", too_few_kills),
    ("eta-storm", "reminders", eta_storm),
    ("hoarder", "hoards", hoarder),
    ("ping-pong", "probes", ping_pong),
]
"""Where the answer may be to blame as well: how slow the machine is decides what is said, and neither is a verdict."""


@pytest.mark.parametrize(("slug", "file", "case"), [*BY_THE_MACHINE, *PERHAPS])
def test_a_check_says_that_a_slow_machine_is_too_busy(
    monkeypatch: pytest.MonkeyPatch, slug: str, file: str, case: Case
) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: 9.0)

    with pytest.raises(TooBusy, match=r"^this machine is too busy to tell: [^:]+"):
        case(function._loaded(LABS / slug / "checks" / f"{file}.py"), monkeypatch)


@pytest.mark.parametrize(("slug", "file", "case"), PERHAPS)
def test_no_check_calls_a_quick_machine_busy(monkeypatch: pytest.MonkeyPatch, slug: str, file: str, case: Case) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: 1.0)

    with pytest.raises(Unable) as raised:
        case(function._loaded(LABS / slug / "checks" / f"{file}.py"), monkeypatch)

    assert not isinstance(raised.value, TooBusy)


def test_a_partner_that_hangs_outlasts_the_checks_on_a_busy_machine() -> None:
    hung = function._loaded(LABS / "stop-a-hung-task" / "checks" / "hung.py")
    checks_of_it = Catalog().lab("stop-a-hung-task").checks
    longest = sum(check.seconds for check in checks_of_it) + MOST_MORE_SECONDS

    assert hung.MUTE.after_seconds > longest
    assert len(json.dumps(hung.DRIPPING.body)) * hung.DRIPPING.byte_seconds > longest


@pytest.mark.parametrize(("slowdown", "raised"), [(9.0, TooBusy), (1.0, Unable)])
@pytest.mark.parametrize("ended", [False, True])
def test_a_server_that_did_not_start_in_time_is_told_from_one_that_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slowdown: float, raised: type[Unable], ended: bool
) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)
    (tmp_path / "out").write_text("port in use")
    program: Any = SimpleNamespace(poll=lambda: 1 if ended else None, end=no_answer, output=tmp_path / "out")

    with pytest.raises(Unable) as seen:
        guarded.await_answer("valkey", [program], lambda: False, within_seconds=0.0, every_seconds=0.01)

    assert (Unable if ended else raised) is type(seen.value)


@pytest.mark.parametrize(("slowdown", "raised"), [(9.0, TooBusy), (1.0, Unable)])
def test_a_partner_that_does_not_answer_in_time_is_nobodys_fault(
    monkeypatch: pytest.MonkeyPatch, slowdown: float, raised: type[Unable]
) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)
    monkeypatch.setattr(outside, "CALL_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        partner = Outside.__new__(Outside)
        partner.port, partner._token = silent.getsockname()[1], ""

        with pytest.raises(Unable) as seen:
            partner.hits()

    assert raised is type(seen.value)


@pytest.mark.parametrize(
    ("error", "slowdown", "reason"),
    [
        (redis.TimeoutError("Timeout reading from socket"), 9.0, "busy"),
        (subprocess.TimeoutExpired("kubectl", 60), 9.0, "busy"),
        (TimeoutError("timed out"), 9.0, "busy"),
        (TimeoutError("timed out"), 1.0, "grader"),
        (KeyError("state"), 9.0, "grader"),
    ],
)
def test_an_answer_that_came_too_late_is_the_slow_machines_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, slowdown: float, reason: str
) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)

    assert (Outcome.ERROR, reason) == ended_as(raising(error), monkeypatch, tmp_path)


def raising(error: Exception) -> Callable[[Any, Any], Finding]:
    def run(parameters: object, session: object) -> Finding:
        raise error

    return run


def ended_as(
    run: Callable[[Any, Any], Finding], patch: pytest.MonkeyPatch, folder: Path, seconds: float = 60
) -> tuple[Outcome, str]:
    """How a check that does this ends, and for which reason."""
    patch.setattr(checks, "run", lambda name: run)
    one = Check("one", "One", 1, "any", None, seconds=seconds)
    lab = Lab("lab", "foundations", 1, (), "Lab", 1, (), (one,), "1")
    (verdict,) = grading.grade(lab, folder, folder, Unconfined(), seed=1).verdicts
    return verdict.outcome, verdict.reason


@pytest.mark.parametrize(("slowdown", "reason"), [(9.0, "busy"), (1.0, "grader")])
def test_a_check_that_comes_to_no_end_is_told_from_one_on_a_slow_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slowdown: float, reason: str
) -> None:
    never = threading.Event()
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)
    monkeypatch.setattr(grading, "GRACE_SECONDS", 0.05)

    ended = ended_as(lambda *given: passed(f"it ended: {never.wait(60)}"), monkeypatch, tmp_path, seconds=0.05)
    never.set()

    assert (Outcome.ERROR, reason) == ended


@pytest.mark.parametrize(
    ("error", "status", "mark"), [(TooBusy("it took 9 s"), 0, "??"), (Unable("there is no port left"), 1, "NO")]
)
def test_an_answer_that_a_busy_machine_left_undecided_fails_no_proof(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, mark: str
) -> None:
    monkeypatch.setattr(checks, "run", lambda name: raising(error))

    told = CliRunner().invoke(commands, ["prove", "async-or-not"])

    assert (status, {mark}) == (told.exit_code, {line[:2] for line in told.stdout.splitlines() if line[0] != " "})
