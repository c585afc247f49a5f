"""Workers on two brokers, and measurements of which the workers know what came over which broker."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conductor.waiting import until
from grader import measuring
from grader.adapters.observed import Events
from grader.calling import Called, called
from grader.checks import worker
from grader.domain.verdict import Finding
from grader.errors import TooBusy
from grader.remote_control import carry_out
from grader.session import Session, failed, passed

BROKERS = ("redis", "rabbitmq")
MEASURE = "measure_broker:measure"

DEAD_SECONDS = 10
PROCESS_SECONDS = 1
"""What a busy machine may add to that."""

CALL_SECONDS = 40

HELD_TIMES = 2
"""A worker that has to wait while tasks are sent waits so many times as long again before it may begin: sending is a small part then."""

MOST_HELD_SECONDS = 8
"""An answer may wait for a result for no longer than 10 s."""

OFF = 0.3
"""By how much more than the call took may have been measured."""

NOT_THERE = {"OperationalError", "OSError", "TimeoutError"}
"""Errors, or bases of errors, that say that somebody could not be reached."""

ON = """from brokers import create_app_with_broker

app = create_app_with_broker("{broker}")
"""

MEASURED = """from brokers import create_app_with_broker, test_broker_performance


def measure(broker, tasks):
    return test_broker_performance(create_app_with_broker(broker), tasks)
"""


def connects(session: Session) -> Finding:
    """A worker on each application has to answer over the broker of its name."""
    session.place("measure_broker.py", MEASURED)
    session.rabbitmq_events  # noqa: B018 it listens from now on
    for broker, server in zip(BROKERS, ("valkey", "rabbitmq"), strict=True):
        session.place(f"on_{broker}.py", ON.format(broker=broker))
        on = worker.Parameters(app=f"on_{broker}", name=broker, broker=server)
        finding = worker.run(on, session)
        if not finding.passed:
            return failed(finding.reason, f"the application for {broker}: {finding.because}", **finding.seen)
    return passed("a worker of each application answers over its own broker")


def measured(session: Session) -> Finding:
    """Measure each, with a number of tasks that nobody knows before, and count what each worker received."""
    kept: dict[str, dict[str, float]] = {}
    for broker in BROKERS:
        tasks = session.random.randrange(150, 250)
        before = {one: _received(session, one) for one in BROKERS}
        end, sent, held = _held(session, broker, tasks)
        if not end.ended or end.error:
            return failed("call", f"the measurement of {broker} {end.why}")
        new = {one: _received(session, one, before[one] + tasks * (one == broker)) - before[one] for one in BROKERS}
        other = next(one for one in BROKERS if one != broker)
        if new[other]:
            return failed(
                "other-broker", f"{new[other]} tasks of the measurement of {broker} went over {other}", received=new
            )
        if new[broker] < tasks:
            return failed(
                "not-sent", f"{tasks} tasks were to be sent over {broker}, and {new[broker]} came", received=new
            )
        if not isinstance(end.value, dict) or not _fits(end.value, tasks):
            return failed("numbers", f"{broker}, {tasks} tasks: returned {str(end.value)[:200]}", received=new)
        kept[broker] = {"said": end.value["time"], "sent": sent, "held": held, "call": end.seconds}
    session.kept["measured"] = kept
    return passed("each measurement sent all its tasks over its own broker")


def rates(session: Session) -> Finding:
    """What was said must be at least as long as the worker was kept from the tasks, and at most what the whole call took."""
    for broker, took in session.kept["measured"].items():
        if not took["held"]:
            return failed("other-rate", f"{broker}: the measurement ended before the worker had begun", **took)
        if took["held"] < HELD_TIMES * took["sent"]:
            raise TooBusy(f"it took {took['sent']:.0f} s until all tasks were sent over {broker}")
        if not took["held"] <= took["said"] <= (1 + OFF) * took["call"]:
            return failed(
                "other-rate",
                f"{broker}: {took['said']:.2f} s were measured, while the worker was kept from the tasks for {took['held']:.2f} s"
                f" and the call took {took['call']:.2f} s",
                **{key: round(seconds, 3) for key, seconds in took.items()},
            )
    return passed("the durations are those that were seen from outside", **session.kept["measured"])


def dead(session: Session) -> Finding:
    """Stop RabbitMQ and the workers, and measure it."""
    for one in session.workers.values():
        one.running.end()
    session.rabbitmq.end()
    began = time.monotonic()
    end = called(session, MEASURE, ["rabbitmq", 5], seconds=40)
    if not end.ended:
        return failed("hangs", f"RabbitMQ is away, and the measurement still waited after {40} s")
    if not end.error:
        return failed("no-error", "RabbitMQ is away, and the measurement of it returned numbers")
    seen = {"error": end.error, "seconds": round(end.seconds, 1)}
    if not NOT_THERE & set(end.bases):
        return failed("other-error", f"RabbitMQ is away, and the measurement {end.why}", **seen)
    if end.seconds > DEAD_SECONDS + PROCESS_SECONDS:
        measuring.tell(began)
        return failed("late", f"the error came after {end.seconds:.0f} s", **seen)
    return passed(f"{end.error} after {end.seconds:.1f} s", **seen)


def _events(session: Session, broker: str) -> Events:
    return session.rabbitmq_events if broker == "rabbitmq" else session.events


def _received(session: Session, broker: str, at_least: int = 0) -> int:
    """How many tasks the worker on this broker received so far, waited for while they are fewer than expected."""
    events = _events(session, broker)

    def count() -> int:
        return sum(seen.what["type"] == "task-received" for seen in events.all())

    events.wait(lambda: count() >= at_least, session.left(5))
    return count()


def _held(session: Session, broker: str, tasks: int) -> tuple[Called, float, float]:
    """Measure this broker while its worker takes nothing: how the call ended, after how long at most all tasks were sent, and for how long
    after that the worker was kept from them, in seconds; 0 when the call did not wait for that."""
    at = session.workers[broker]
    app, queue = (session.rabbitmq_app if broker == "rabbitmq" else session.app), at.queues[0]

    with ThreadPoolExecutor(1) as other, app.connection_for_read() as connection:

        def waiting() -> int:
            if broker == "redis":
                return int(session.valkey.client().llen(queue))
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

        carry_out(app, at, "cancel_consumer", queue=queue)
        began = time.monotonic()
        call = other.submit(called, session, MEASURE, [broker, tasks], seconds=CALL_SECONDS)
        until(lambda: call.done() or waiting() >= tasks, within_seconds=CALL_SECONDS, every_seconds=0.05)
        all_sent = time.monotonic()
        sent = all_sent - began
        early = until(call.done, within_seconds=min(HELD_TIMES * sent, MOST_HELD_SECONDS), every_seconds=0.05)
        held = time.monotonic() - all_sent
        carry_out(app, at, "add_consumer", queue=queue)
    return call.result(), sent, 0.0 if early else held


def _fits(value: dict[str, Any], tasks: int) -> bool:
    """Whether the three numbers are there and agree with each other."""
    rate, time = value.get("tasks_per_second"), value.get("time")
    if not isinstance(rate, int | float) or not isinstance(time, int | float) or time <= 0:
        return False
    return value.get("tasks") == tasks and abs(rate * time - tasks) <= 0.02 * tasks
