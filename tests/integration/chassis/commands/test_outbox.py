"""Putting commands, and counting their starts."""

import pytest
import sqlalchemy as sa
from desk import Desk, without_indexes

from chassis import outbox
from chassis.outbox import Command, Done, Park, Retry


def command(key: str, **values: object) -> Command:
    return Command(key, "shop.count", "shop.till", {"n": 1}, **values)  # type: ignore[arg-type]


def test_a_command_is_due_at_once_and_nobody_published_it(desk: Desk) -> None:
    desk.put("a", headers={"traceparent": "x"})

    row = desk.row("a")
    assert ("shop.count", "shop.till", {"n": "a"}, {"traceparent": "x"}) == (row.task, row.queue, row.body, row.headers)
    assert (0, 0, 0, False, "open") == (row.issued, row.attempts, row.failures, row.begun, row.state)
    assert row.due_in <= 0


def test_a_delayed_command_is_due_later(desk: Desk) -> None:
    desk.put("a", delay_seconds=60)

    assert 55 < desk.row("a").due_in <= 60


def test_a_command_that_may_have_run_before_says_so(desk: Desk) -> None:
    desk.put("a", begun=True)

    assert desk.row("a").begun


def test_a_key_that_is_open_already_is_left_as_it_is(desk: Desk) -> None:
    desk.put("a", delay_seconds=60)
    with desk.engine.begin() as conn:
        new = outbox.put(conn, [command("a"), command("b")])

    assert 1 == new
    assert {"n": "a"} == desk.row("a").body


def test_a_finished_key_may_be_put_again(desk: Desk) -> None:
    (first,) = desk.issue("a")
    with desk.engine.begin() as conn:
        outbox.finish(conn, {first: Done()})

    assert [first] != desk.put("a")


def test_what_was_put_goes_when_its_transaction_does(desk: Desk) -> None:
    with desk.engine.connect() as conn:
        outbox.put(conn, [command("a")])
        conn.rollback()

    assert [] == desk.keys()


def test_nothing_put_costs_no_statement(desk: Desk) -> None:
    with desk.engine.begin() as conn:
        statements: list[str] = []
        sa.event.listen(desk.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

        assert 0 == outbox.put(conn, [])
        assert [] == statements


def test_a_start_is_counted_once(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    for expected in (["a", "b"], []):
        with desk.engine.begin() as conn:
            assert expected == [work.key for work in outbox.start_fresh(conn, ids)]

    assert [1, 1] == [desk.row(key).attempts for key in ("a", "b")]


def test_only_the_commands_of_the_message_are_started(desk: Desk) -> None:
    first, _ = desk.issue("a", "b")
    with desk.engine.begin() as conn:
        outbox.start_fresh(conn, [first])

    assert [1, 0] == [desk.row(key).attempts for key in ("a", "b")]


def test_a_command_that_was_started_before_is_a_suspect(desk: Desk) -> None:
    first, second = desk.issue("a", "b")
    desk.die([first])
    with desk.engine.begin() as conn:
        assert [first] == outbox.suspects(conn, [first, second])
        assert [second] == [work.id for work in outbox.start_fresh(conn, [first, second])]


def test_the_oldest_start_first_whichever_way_the_rows_are_found(desk: Desk) -> None:
    ids = desk.issue("a", "b", "c")
    without_indexes(desk.engine)
    # It lies behind the others now.
    desk.run("UPDATE outbox SET issued = 2 WHERE key = 'a'")

    with desk.engine.begin() as conn:
        assert ids == [work.id for work in outbox.start_fresh(conn, ids)]


def test_suspects_are_told_oldest_first_whichever_way_the_rows_are_found(desk: Desk) -> None:
    first, second = desk.issue("a", "b")
    desk.die([second])
    desk.die([first])
    without_indexes(desk.engine)
    with desk.engine.begin() as conn:
        assert [first, second] == outbox.suspects(conn, [first, second])


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("why", ["UPDATE outbox SET issued = 0", "UPDATE outbox SET state = 'parked'"])
def test_what_is_not_published_or_is_parked_cannot_be_started(desk: Desk, why: str, started: bool) -> None:
    ids = desk.issue("a")
    if started:
        desk.die(ids)
    desk.run(why)
    with desk.engine.begin() as conn:
        begun = outbox.start_fresh(conn, ids), outbox.suspects(conn, ids), outbox.start_suspect(conn, ids[0])

        assert ([], [], None) == begun
        assert set() == outbox.hold(conn, ids)


@pytest.mark.parametrize("started", [False, True])
def test_what_somebody_holds_is_passed_over_at_once(desk: Desk, started: bool) -> None:
    ids = desk.issue("a")
    if started:
        desk.die(ids)
    with desk.engine.begin() as holder, desk.engine.begin() as conn:
        assert {*ids} == outbox.hold(holder, ids)

        begun = outbox.start_fresh(conn, ids), outbox.suspects(conn, ids), outbox.start_suspect(conn, ids[0])
        assert ([], [], None) == begun
        assert set() == outbox.hold(conn, ids)


def test_only_the_commands_asked_for_are_held(desk: Desk) -> None:
    first, second = desk.issue("a", "b")
    with desk.engine.begin() as holder, desk.engine.begin() as conn:
        outbox.hold(holder, [first])

        assert {second} == outbox.hold(conn, [first, second])


def test_a_finished_command_cannot_be_started(desk: Desk) -> None:
    ids = desk.issue("a")
    with desk.engine.begin() as conn:
        outbox.finish(conn, {ids[0]: Done()})
        begun = outbox.start_fresh(conn, ids), outbox.suspects(conn, ids), outbox.start_suspect(conn, ids[0])

    assert ([], [], None) == begun


def test_a_start_tells_what_the_worker_needs(desk: Desk) -> None:
    ids = desk.issue("a", headers={"traceparent": "x"})
    desk.run("UPDATE outbox SET failures = 3")
    with desk.engine.begin() as conn:
        (work,) = outbox.start_fresh(conn, ids)

    assert ("a", "shop.count", "shop.till", {"n": "a"}) == (work.key, work.task, work.queue, work.body)
    assert ({"traceparent": "x"}, 1, 3, False) == (work.headers, work.attempts, work.failures, work.begun)


def test_outcomes_are_recorded_each_by_its_kind(desk: Desk) -> None:
    ids = desk.issue("done", "retry", "park", "other")
    with desk.engine.begin() as conn:
        outbox.start_fresh(conn, ids)
        outbox.finish(conn, dict(zip(ids, [Done(), Retry(60, "busy"), Park("permanent", "no")], strict=False)))

    assert ["retry", "park", "other"] == desk.keys()
    retried, parked = desk.row("retry"), desk.row("park")
    assert (0, 0, 1, "busy") == (retried.issued, retried.attempts, retried.failures, retried.last_error)
    assert 55 < retried.due_in <= 60
    assert ("parked", "permanent") == (parked.state, parked.last_error)
    (record,) = desk.rows("SELECT * FROM parked")
    assert ("shop.till", "shop.count", "park", {"n": "park"}) == (record.queue, record.task, record.key, record.body)
    assert ("permanent", "no", 1, "parked") == (record.reason, record.detail, record.attempts, record.status)


def test_a_retry_that_does_not_count_leaves_the_failures_alone(desk: Desk) -> None:
    (only,) = desk.issue("a")
    with desk.engine.begin() as conn:
        outbox.finish(conn, {only: Retry(0, "circuit open", counts=False)})

    assert 0 == desk.row("a").failures


@pytest.mark.parametrize(
    ("deaths", "retry", "begun"),
    [
        (0, Retry(0, "clean"), False),
        (0, Retry(0, "unknown", begun=True), True),
        (1, Retry(0, "clean"), True),
    ],
)
def test_a_retry_remembers_whether_an_effect_may_stand(desk: Desk, deaths: int, retry: Retry, begun: bool) -> None:
    ids = desk.issue("a")
    for _ in range(deaths + 1):
        desk.die(ids)
    with desk.engine.begin() as conn:
        outbox.finish(conn, {ids[0]: retry})

    assert begun == desk.row("a").begun


def test_begun_survives_any_number_of_clean_retries(desk: Desk) -> None:
    ids = desk.issue("a", begun=True)
    for _ in range(3):
        with desk.engine.begin() as conn:
            outbox.finish(conn, {ids[0]: Retry(0, "clean")})

    assert desk.row("a").begun


@pytest.mark.parametrize("deaths", [0, 1])
def test_a_parked_command_that_was_started_may_have_had_its_effect(desk: Desk, deaths: int) -> None:
    ids = desk.issue("a")
    for _ in range(deaths):
        desk.die(ids)
    with desk.engine.begin() as conn:
        outbox.finish(conn, {ids[0]: Park("unknown_task")})

    assert bool(deaths) == desk.row("a").begun


@pytest.mark.parametrize("said", ["cut off \x00", "half of one \ud83d"])
def test_an_error_is_recorded_whatever_it_says(desk: Desk, said: str) -> None:
    again, never = desk.issue("a", "b")
    with desk.engine.begin() as conn:
        outbox.finish(conn, {again: Retry(0, said), never: Park("bug", said)})

    escaped = said.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    assert [escaped] == [row.last_error for row in desk.rows("SELECT last_error FROM outbox WHERE key = 'a'")]
    assert [escaped] == [row.detail for row in desk.rows("SELECT detail FROM parked WHERE key = 'b'")]
