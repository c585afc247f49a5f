"""A check that a busy machine keeps from telling says so; that is neither the grader's fault nor a failure of `capstone lab prove`."""

import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from conductor.waiting import until
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


def commanding(broadcast: Callable[..., object]) -> object:
    """An application whose workers get commands so."""
    return SimpleNamespace(control=SimpleNamespace(broadcast=broadcast))


def ping_pong(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A worker does not say that it consumes no more."""
    patch.setattr(module, "_sound", went_well)
    patch.setattr(worker, "run", went_well)
    first = SimpleNamespace(node="first@lab")
    return module.not_ready(SimpleNamespace(workers={"first": first}, app=commanding(no_answer)))


def hoarder(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A worker does not say that it consumes."""
    second = SimpleNamespace(node="second@lab")
    return module._joined(SimpleNamespace(workers={module.SECOND: second}, rabbitmq_app=commanding(no_answer)), 1)


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
    """Tasks do not end with a collector that answers."""
    patch.setattr(module, "_few", lambda *_: (13.0, 3))
    return module.no_collector(SimpleNamespace(http=SimpleNamespace(script=no_answer, requests=no_answer)))


def eta_storm(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Asking for a reminder took longer than half of what it is due in."""
    patch.setattr(module, "_mailed", lambda session, name: [module.DUE_SECONDS])
    return module.in_time(SimpleNamespace(kept={"began": 0.0, "due": {"basket": (0.0, module.DUE_SECONDS)}}))


def again_and_again(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A charge has ended when its worker is killed."""
    charges = iter([[], ["charge"], ["charge"]])
    patch.setattr(module, "_charges", lambda session: next(charges))
    patch.setattr(module, "_placed", lambda session: "order")
    patch.setattr(module, "_starts", lambda session, charge: 1)
    session = SimpleNamespace(
        in_time=lambda holds, *asked, **options: holds(),
        workers={"worker": SimpleNamespace(node="worker@lab", running=SimpleNamespace(end=no_answer))},
        app=commanding(went_well),
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


def joined(module: ModuleType, patch: pytest.MonkeyPatch, held: int, *done: int) -> Any:
    """A session of the hoarder in which the workers did so many tasks, and the first one held so many."""
    tasks = Counter(dict(zip("ab", done, strict=False)))
    patch.setattr(module, "_joined", lambda session, count: module.Joined(tasks, held))
    patch.setattr(worker, "run", went_well)
    return SimpleNamespace(rabbitmq_events=None, payments=SimpleNamespace(faults=no_answer))


def shared_unevenly(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """One worker did more than its share, and held no more than one task at a time."""
    return module.shared(joined(module, patch, 1, 4, 2))


def both_by_one(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """One worker did both tasks, and had ended the first before it took the second."""
    return module.idle(joined(module, patch, 0, 2))


def computed_unevenly(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Two processes computed, and one of them got more of the processors."""
    return computed(module, patch, 1.8, 0.6)


def computed(module: ModuleType, patch: pytest.MonkeyPatch, *seconds: float) -> object:
    patch.setattr(module, "_workers", went_well)
    readings = iter([{}, dict(enumerate(seconds))])
    patch.setattr(module, "_processor_seconds", lambda pids: next(readings))
    session = SimpleNamespace(
        workers={"cpu_worker": SimpleNamespace(running=SimpleNamespace(processes=no_answer))},
        kept={"queues": {module.CPU: "cpu"}},
        send=lambda *args, **options: "id",
        in_time=lambda holds, *asked, **options: holds(),
        events=SimpleNamespace(final=lambda *asked: "ended"),
    )
    return module.computing_in_parallel(session)


def rates(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Sending took so long that the worker could not be kept waiting for twice as long."""
    return module.rates(
        SimpleNamespace(kept={"measured": {"redis": {"said": 9.0, "sent": 5.0, "held": 8.0, "call": 20.0}}})
    )


BY_THE_MACHINE: list[tuple[str, str, Case]] = [
    ("build-a-saga", "saga", build_a_saga),
    ("compare-brokers", "brokers", rates),
    ("lost-spans", "spans", lost_spans),
    ("hoarder", "hoards", shared_unevenly),
    ("hoarder", "hoards", both_by_one),
    ("tune-workers", "tuned", computed_unevenly),
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


def in_batches(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Batches that are worked on side by side would take a quarter of this."""
    return batches(module, 6.1, 6.2, at_once=1)


def batches(module: ModuleType, *took: float, at_once: int) -> object:
    """One batch, and many, that took so long, with so many tasks at a time."""
    seconds = iter(took)

    def final(task_id: str, left: float) -> object:
        what = {"status": "SUCCESS", "result": [0] * module.ITEMS}
        return SimpleNamespace(at=time.monotonic() + next(seconds), what=what)

    kinds = [("task-received", number) for number in range(at_once)] + [("task-started", n) for n in range(at_once)]
    events = [SimpleNamespace(what={"type": kind, "uuid": f"{number}", "root_id": "id"}) for kind, number in kinds]
    session = SimpleNamespace(
        workers={"worker": SimpleNamespace(task=lambda name: name)},
        random=SimpleNamespace(randrange=lambda most: 0),
        send=lambda *asked: "id",
        left=lambda most: most,
        results=SimpleNamespace(final=final),
        events=SimpleNamespace(all=lambda: events),
    )
    return module.parallel(session)


def runtimes(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """The worker says that tasks ran longer than the metrics say: what it adds is its own."""
    stats = iter([dict.fromkeys(module.KEYS, 0.0), dict.fromkeys(module.KEYS, 1.6)])
    patch.setattr(module, "_stats", lambda session: next(stats))
    patch.setattr(module, "_ended", lambda session, calls: ["id"])
    end = SimpleNamespace(what={"runtime": 2.4})
    return module.runtimes(SimpleNamespace(events=SimpleNamespace(final=lambda *asked: end)))


def too_short(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A call that takes 2 s was ended by its limit."""
    patch.setattr(module, "_called", lambda *given: "id")
    session = SimpleNamespace(
        workers={module.NAME: SimpleNamespace(running=None)},
        http=SimpleNamespace(wait=lambda *asked: True),
        left=lambda most: most,
        results=SimpleNamespace(final=lambda *asked: SimpleNamespace(what={"status": "FAILURE"})),
    )
    return module.worker_stays(session)


def late(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A reminder came 5 s after it was due."""
    due = time.time() - 6
    patch.setattr(module, "_mailed", lambda session, name: [due + 5])
    return module.in_time(SimpleNamespace(kept={"began": 0.0, "due": {"basket": (due, due)}}))


def unresponsive(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """The broker stands still, and a probe said nothing three times."""
    return probed(module, patch, module.Called())


def probed(module: ModuleType, patch: pytest.MonkeyPatch, answer: object) -> object:
    """The broker stands still, and every probe answers so."""
    patch.setattr(worker, "run", went_well)
    patch.setattr(module, "called", lambda *given, **options: answer)
    return module.outage(SimpleNamespace(valkey=SimpleNamespace(stand_still=no_answer, go_on=no_answer)))


AGAINST_IT: list[tuple[str, str, Case, str]] = [
    ("eta-storm", "reminders", late, "off"),
    ("ping-pong", "probes", unresponsive, "replaced"),
    ("see-inside", "inside", runtimes, "other-runtime"),
    ("stop-a-hung-task", "hung", too_short, "too-short"),
    ("task-patterns", "patterns", in_batches, "slow"),
]
"""What a slow machine may do to a sound answer, and the reason that it is held against it on a quick one."""


def storm(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Few calls in an outage."""
    patch.setattr(worker, "run", went_well)
    patch.setattr(module, "called", lambda *given, **options: SimpleNamespace(ended=True, error=""))
    patch.setattr(module, "OUTAGE_SECONDS", 0.01)
    session = SimpleNamespace(
        random=SimpleNamespace(randrange=lambda most: 0),
        payments=SimpleNamespace(faults=no_answer, hits=lambda: 20, sound=no_answer),
        kept={},
        in_time=lambda holds, *asked, **options: holds(),
    )
    return module.few_calls(session)


def one_each(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """Each worker did one of two tasks."""
    return module.idle(joined(module, patch, 0, 1, 1))


def deaf(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """A worker that consumes nothing is said not to be alive; the next one is sound."""
    patch.setattr(worker, "run", went_well)
    patch.setattr(module, "_sound", went_well)
    patch.setattr(module, "called", lambda *given, **options: module.Called(value=False, ended=True))
    return module.replaced(SimpleNamespace(workers={"first": SimpleNamespace(running=SimpleNamespace(end=no_answer))}))


def one_a_day(module: ModuleType, patch: pytest.MonkeyPatch) -> object:
    """As many digests as days."""
    return module._judged(0.0, (7, 7.0))


MAY_BE_HIDDEN: list[tuple[str, str, Case]] = [
    ("hoarder", "hoards", one_each),
    ("ping-pong", "probes", deaf),
    ("retry-storm", "storm", storm),
    ("two-clocks", "clocks", one_a_day),
]
"""What passes because a fault did not show."""


@pytest.mark.parametrize(("slug", "file", "case", "reason"), AGAINST_IT)
def test_a_check_fails_for_what_takes_long_on_a_quick_machine_alone(
    monkeypatch: pytest.MonkeyPatch, slug: str, file: str, case: Case, reason: str
) -> None:
    loaded = function._loaded(LABS / slug / "checks" / f"{file}.py")
    monkeypatch.setattr(measuring, "slowdown", lambda: 1.0)

    finding: Any = case(loaded, monkeypatch)
    monkeypatch.setattr(measuring, "_looked", [(time.monotonic() + 3600, 9.0)])

    assert (False, reason) == (finding.passed, finding.reason)
    with pytest.raises(TooBusy):
        case(loaded, monkeypatch)


@pytest.mark.parametrize(("slug", "file", "case"), MAY_BE_HIDDEN)
def test_a_check_passes_for_what_did_not_show_unless_the_machine_may_have_hidden_it(
    monkeypatch: pytest.MonkeyPatch, slug: str, file: str, case: Case
) -> None:
    loaded = function._loaded(LABS / slug / "checks" / f"{file}.py")
    monkeypatch.setattr(measuring, "slowdown", lambda: measuring.SLOW)

    finding: Any = case(loaded, monkeypatch)
    monkeypatch.setattr(measuring, "_looked", [(time.monotonic() + 3600, measuring.HIDES)])

    assert finding.passed
    with pytest.raises(TooBusy):
        case(loaded, monkeypatch)


@pytest.mark.parametrize("slowdown", [1.0, 20.0])
@pytest.mark.parametrize(("took", "at_once"), [((6.1, 1.8), 1), ((6.1, 9.0), 4), ((14.0, 1.8), 1)])
def test_batches_side_by_side_pass_however_slow_the_machine(
    monkeypatch: pytest.MonkeyPatch, took: tuple[float, float], at_once: int, slowdown: float
) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)

    finding: Any = batches(function._loaded(LABS / "task-patterns" / "checks" / "patterns.py"), *took, at_once=at_once)

    assert finding.passed


def test_a_baseline_that_was_held_up_lets_no_serial_answer_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "slowdown", lambda: 1.0)

    finding: Any = batches(function._loaded(LABS / "task-patterns" / "checks" / "patterns.py"), 14.0, 6.2, at_once=1)

    assert "slow" == finding.reason


@pytest.mark.parametrize("slowdown", [1.0, 20.0])
def test_a_hoarder_is_one_that_holds_what_others_could_do(monkeypatch: pytest.MonkeyPatch, slowdown: float) -> None:
    loaded = function._loaded(LABS / "hoarder" / "checks" / "hoards.py")
    monkeypatch.setattr(measuring, "slowdown", lambda: slowdown)

    found: list[Any] = [
        loaded.shared(joined(loaded, monkeypatch, 4, 5, 1)),
        loaded.shared(joined(loaded, monkeypatch, 1, 3, 3)),
        loaded.idle(joined(loaded, monkeypatch, 1, 2)),
    ]

    assert ["hoards", "", "held"] == [finding.reason for finding in found]


def test_one_process_that_computes_is_told_from_two_of_which_one_got_less(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = function._loaded(LABS / "tune-workers" / "checks" / "tuned.py")

    found: list[Any] = [computed(loaded, monkeypatch, *seconds) for seconds in ((2.4, 0.1), (1.3, 1.1))]

    assert ["not-faster", ""] == [finding.reason for finding in found]


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
        partner._http_port, partner._token = silent.getsockname()[1], ""

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


def test_a_check_knows_how_slow_the_machine_was_while_it_ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measuring, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(measuring, "slowdown", lambda: 9.0)

    def held_up(parameters: object, session: object) -> Finding:
        began = time.monotonic()
        assert until(lambda: len(measuring._looked) > 1, within_seconds=10, every_seconds=0.01)
        monkeypatch.setattr(measuring, "slowdown", lambda: 1.0)
        measuring.tell(began)
        return passed("it did not ask")

    assert (Outcome.ERROR, "busy") == ended_as(held_up, monkeypatch, tmp_path)


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


@pytest.mark.parametrize(("slower", "told"), [(1.9, True), (2.0, False)])
def test_tasks_that_wait_for_a_collector_are_told_from_a_machine_that_became_busy(
    monkeypatch: pytest.MonkeyPatch, slower: float, told: bool
) -> None:
    spans = function._loaded(LABS / "lost-spans" / "checks" / "spans.py")
    took, slow = iter([(9.0, 0), (27.0, 4)]), iter([3.0, 3.0 * slower])
    monkeypatch.setattr(spans, "_few", lambda *_: next(took))
    monkeypatch.setattr(measuring, "slowest", lambda *_: next(slow))

    with nullcontext() if told else pytest.raises(TooBusy):
        finding = spans.no_collector(SimpleNamespace(http=SimpleNamespace(script=no_answer, requests=no_answer)))
        assert (False, "held-up") == (finding.passed, finding.reason)


def test_a_probe_that_says_no_in_an_outage_had_the_time_to_however_slow_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probes = function._loaded(LABS / "ping-pong" / "checks" / "probes.py")
    monkeypatch.setattr(measuring, "slowdown", lambda: 50.0)

    finding: Any = probed(probes, monkeypatch, probes.Called(value=False, ended=True))

    assert (False, "replaced") == (finding.passed, finding.reason)


@pytest.mark.parametrize(
    ("said", "held", "reason"),
    [(2.1, 2.0, ""), (1.0, 2.0, "other-rate"), (4.0, 2.0, "other-rate"), (0.5, 0.0, "other-rate")],
)
def test_sending_alone_is_told_from_the_whole_however_slow_the_machine(
    monkeypatch: pytest.MonkeyPatch, said: float, held: float, reason: str
) -> None:
    brokers = function._loaded(LABS / "compare-brokers" / "checks" / "brokers.py")
    monkeypatch.setattr(measuring, "slowdown", lambda: 50.0)
    measured = {"redis": {"said": said, "sent": 1.0, "held": held, "call": 3.0}}

    found = brokers.rates(SimpleNamespace(kept={"measured": measured}))

    assert (not reason, reason) == (found.passed, found.reason)
