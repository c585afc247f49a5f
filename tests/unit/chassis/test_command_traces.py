"""The spans of a command: its wait, its attempts, the one that died, and what is recorded of a trace that is not."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from chassis import command_traces, sending, tracing
from chassis.outbox import Done, Outcome, Park, Retry, Work
from chassis.traceparent import Context
from chassis.tracing import Kind
from fakes.recorded_spans import recorded_spans

ORDER = str(uuid.UUID(int=0xABC << 64 | 0xDEF))
PLACED = Context(0xABC << 64 | 0xDEF, 0xDEF, sampled=True)
UNSAMPLED = Context(PLACED.trace_id, PLACED.span_id, sampled=False)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Any:
    return recorded_spans(monkeypatch)


def work(*, told: Context | None = PLACED, **values: Any) -> Work:
    headers: Mapping[str, str] = {} if told is None else {"traceparent": str(told)}
    fields = {"attempts": 1, "failures": 0, "begun": False, "waited_seconds": 0.5, "ran_seconds": None, **values}
    return Work(7, "k", "shop.sell", "shop.till", {"order": ORDER}, headers, **fields)


def run(command: Work, outcome: Outcome = Done()) -> Work:  # noqa: B008 - it has no state
    command_traces.taken_up(command, ("order.id", ORDER), tracing.now())
    command_traces.ended(command, outcome, ("order.id", ORDER))
    command_traces.over([command], lambda _: ("order.id", ORDER))
    return command


def test_a_wait_and_an_attempt_lie_beside_each_other_below_what_wrote_the_command(spans: Any) -> None:
    taken = run(work())

    wait, process = spans()
    assert ["wait shop.sell", "process shop.sell"] == [wait.name, process.name]
    assert {PLACED.span_id} == {wait.parent.span_id, process.parent.span_id}
    assert wait.end_time == process.start_time
    assert 0.5e9 == pytest.approx(wait.end_time - wait.start_time, rel=1e-3)
    assert ("done", ORDER, 1) == tuple(process.attributes[name] for name in ("outcome", "order.id", "attempt"))
    assert str(PLACED) == taken.onward["traceparent"]


def test_an_attempt_begins_and_its_wait_ends_when_the_worker_asked_for_the_command(spans: Any) -> None:
    command, asked = work(waited_seconds=0.5), tracing.now() - 2_000_000_000
    command_traces.taken_up(command, None, asked)
    command_traces.over([command], lambda _: None)

    wait, process = spans()
    assert (asked - 500_000_000, asked, asked) == (wait.start_time, wait.end_time, process.start_time)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Done(), None),
        (Retry(1.0, "busy"), "retry"),
        (Retry(1.0, "circuit open", counts=False), None),
        (Park("poison"), "poison"),
    ],
)
def test_an_attempt_is_red_unless_it_was_done_or_nothing_was_tried(
    spans: Any, outcome: Outcome, error: str | None
) -> None:
    run(work(), outcome)

    _, process = spans()
    assert error == process.attributes.get("error.type")


def test_a_long_wait_begins_a_trace_that_is_linked_back(spans: Any) -> None:
    taken = run(work(waited_seconds=command_traces.LONG_WAIT_SECONDS + 1))

    wait, process = spans()
    assert (wait.parent, process.parent.span_id) == (None, wait.context.span_id)
    assert wait.context.trace_id != PLACED.trace_id
    assert [(PLACED.trace_id, PLACED.span_id)] == [(link.context.trace_id, link.context.span_id) for link in wait.links]
    assert f"{wait.context.trace_id:032x}" in taken.onward["traceparent"]


def test_a_command_without_a_trace_begins_one_that_is_linked_with_its_orders(spans: Any) -> None:
    run(work(told=None))

    wait, _ = spans()
    assert (None, [PLACED.trace_id]) == (wait.parent, [link.context.trace_id for link in wait.links])


def test_the_next_attempt_tells_of_the_death_and_of_the_wait_before_it(spans: Any) -> None:
    run(work(attempts=2, waited_seconds=5.0, ran_seconds=3.0))

    wait, died, process = spans()
    assert ("wait shop.sell", 2.0) == (wait.name, pytest.approx((wait.end_time - wait.start_time) / 1e9, rel=1e-3))
    assert ("died", 1, "WorkerLostError") == tuple(
        died.attributes[name] for name in ("outcome", "attempt", "error.type")
    )
    assert (wait.end_time, process.start_time) == (died.start_time, died.end_time)
    assert (2, ["previous attempt died"]) == (process.attributes["attempt"], [event.name for event in process.events])


def test_a_death_is_told_before_the_next_attempt_ends_which_may_be_killed_as_well(spans: Any) -> None:
    second = work(told=UNSAMPLED, attempts=2, waited_seconds=5.0, ran_seconds=3.0)
    command_traces.taken_up(second, ("order.id", ORDER), tracing.now())

    assert [("wait shop.sell", 1), ("process shop.sell", 1)] == [(s.name, s.attributes["attempt"]) for s in spans()]


def test_what_is_put_off_without_a_try_is_recorded_in_any_trace(spans: Any) -> None:
    run(work(told=UNSAMPLED), Retry(1.0, "circuit open", counts=False))

    assert ["wait shop.sell", "process shop.sell"] == [span.name for span in spans()]


def test_a_message_and_its_commands_are_linked_both_ways(spans: Any) -> None:
    with tracing.span("process shop.till", Kind.CONSUMER):
        run(work())

    message, _, process = sorted(spans(), key=lambda span: ("till" not in span.name, span.start_time))
    assert [message.context.span_id] == [link.context.span_id for link in process.links]
    assert [process.context.span_id] == [link.context.span_id for link in message.links]
    assert message.context.trace_id != process.context.trace_id


def test_the_publication_lies_within_the_wait_whatever_the_senders_clock_says(spans: Any) -> None:
    with tracing.span("process shop.till", Kind.CONSUMER) as message:
        assert message is not None
        message.published = message.began / 1e9 + 3600
        run(work())

    wait = next(span for span in spans() if span.name == "wait shop.sell")
    (published,) = wait.events
    assert (wait.end_time, {"clamped": True}) == (published.timestamp, dict(published.attributes))


def test_of_an_unsampled_order_nothing_is_recorded_until_something_fails_and_all_from_then_on(spans: Any) -> None:
    well = run(work(told=UNSAMPLED))
    assert ((), str(UNSAMPLED)) == (spans(), well.onward["traceparent"])

    failed = work(told=UNSAMPLED)
    command_traces.taken_up(failed, None, tracing.now())
    assert failed.span is not None
    tracing.why(failed.span, TimeoutError("no answer"))
    command_traces.over([failed], lambda _: None)

    wait, process = spans()
    assert (None, None, PLACED.trace_id) == (wait.parent, process.parent, process.context.trace_id)
    assert f"00-{PLACED.trace_id:032x}-{process.context.span_id:016x}-01" == failed.onward["traceparent"]


@pytest.mark.parametrize("values", [{"tried": True}, {"attempts": 2, "ran_seconds": 1.0}, {"waited_seconds": 11.0}])
def test_a_retry_a_death_and_a_slow_wait_are_recorded_in_any_trace(spans: Any, values: Any) -> None:
    run(work(told=UNSAMPLED, **values))

    assert "process shop.sell" in {span.name for span in spans()}


@pytest.mark.parametrize(("seconds", "recorded"), [(1.1, 0), (2.5, 4)])
def test_commands_that_are_worked_on_together_are_slow_by_their_part(
    spans: Any, monkeypatch: pytest.MonkeyPatch, seconds: float, recorded: int
) -> None:
    now = [2_000_000_000 * 10**9]
    monkeypatch.setattr(tracing, "now", lambda: now[0])
    works = [work(told=UNSAMPLED) for _ in range(2)]
    for one in works:
        command_traces.taken_up(one, None, tracing.now())
    now[0] += int(seconds * 1e9)
    command_traces.over(works, lambda _: None)

    assert recorded == len(spans())


def test_of_commands_that_are_worked_on_together_the_one_that_was_slow_by_itself_is_recorded(
    spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [2_000_000_000 * 10**9]
    monkeypatch.setattr(tracing, "now", lambda: now[0])
    works = [work(told=UNSAMPLED, failures=0) for _ in range(2)]
    for one in works:
        command_traces.taken_up(one, None, tracing.now())
    for one, seconds in zip(works, (0.1, 1.1), strict=True):
        with command_traces.within(one, ("order.id", ORDER), lambda: ()):
            now[0] += int(seconds * 1e9)
    command_traces.over(works, lambda _: None)

    process = next(span for span in spans() if span.name == "process shop.sell")
    assert works[1].span is not None
    assert (2, works[1].span.context.span_id) == (len(spans()), process.context.span_id)


def test_a_message_of_the_relay_is_linked_with_its_recorded_commands_and_recorded_when_there_is_one(spans: Any) -> None:
    other = Context(5, 6, sampled=False)
    with (
        sending.of_commands([str(other), str(PLACED)]),
        sending.sent("rabbitmq", "shop.sell", "shop.till", "m-1") as told,
    ):
        pass
    with sending.of_commands([str(other)]), sending.sent("rabbitmq", "shop.sell", "shop.till", "m-2") as unrecorded:
        pass

    (send,) = spans()
    assert ("send shop.till", None, [PLACED.trace_id]) == (
        send.name, send.parent, [link.context.trace_id for link in send.links],
    )  # fmt: skip
    assert ("01", "00") == (told["traceparent"][-2:], unrecorded["traceparent"][-2:])


def test_without_tracing_a_command_is_as_it_was() -> None:
    command = work()

    command_traces.taken_up(command, None, tracing.now())

    assert (None, command.headers) == (command.span, command.onward)
