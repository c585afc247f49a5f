"""What an effect may raise, and what becomes of its batch; and a database that goes away."""

import pytest
import sqlalchemy as sa
from billiard.exceptions import SoftTimeLimitExceeded
from desk import Desk, Effect, patient
from structlog.testing import capture_logs

from chassis.errors import CircuitOpen, Permanent, Transient
from chassis.outbox import Done, Retry
from servers import wait_until


def test_an_exception_in_a_batch_leaves_each_command_alone_and_parks_the_culprit(desk: Desk) -> None:
    effect = Effect({"b": ZeroDivisionError("division by zero")})

    assert 3 == desk.runner().run(desk.issue("a", "b", "c"), effect)
    assert [["a", "b", "c"], ["a"], ["b"], ["c"]] == effect.calls
    assert (["b"], [("b", "bug")]) == (desk.keys(), desk.parked())


def test_the_first_try_of_a_batch_may_have_had_effects(desk: Desk) -> None:
    effect = Effect({"b": ZeroDivisionError()})

    desk.runner().run(desk.issue("a", "b"), effect)

    assert [False, False, True, True] == [work.begun for work in effect.seen]


def test_a_bug_is_parked_with_its_traceback(desk: Desk) -> None:
    desk.runner().run(desk.issue("a"), Effect({"a": ZeroDivisionError("division by zero")}))

    (record,) = desk.rows("SELECT detail FROM parked")
    assert "Traceback" in record.detail
    assert "ZeroDivisionError: division by zero" in record.detail


def test_what_will_never_work_is_parked_with_its_words(desk: Desk) -> None:
    desk.runner().run(desk.issue("a"), Effect({"a": Permanent("no such card")}))

    assert [("permanent", "no such card")] == [tuple(r) for r in desk.rows("SELECT reason, detail FROM parked")]


def test_a_batch_that_is_transient_as_a_whole_is_tried_again_as_one_that_may_have_begun(desk: Desk) -> None:
    effect = Effect({"a": Transient("busy", retry_after_seconds=60)})

    assert 2 == desk.runner().run(desk.issue("a", "b"), effect)
    assert 1 == len(effect.calls)
    for row in (desk.row("a"), desk.row("b")):
        assert (0, 1, True, "busy") == (row.issued, row.failures, row.begun, row.last_error)
        assert 55 < row.due_in <= 60


def test_without_a_wish_a_retry_is_soon(desk: Desk) -> None:
    desk.runner().run(desk.issue("a"), Effect({"a": Transient("busy")}))

    assert desk.row("a").due_in <= 0.5


def test_a_batch_that_ran_out_of_time_is_tried_again_as_one_that_may_have_begun(desk: Desk) -> None:
    effect = Effect({"a": SoftTimeLimitExceeded()})

    assert 2 == desk.runner().run(desk.issue("a", "b"), effect)
    assert 1 == len(effect.calls)
    row = desk.row("b")
    assert (1, True, "soft time limit passed") == (row.failures, row.begun, row.last_error)


def test_a_wrong_statement_is_the_commands_own_fault(desk: Desk) -> None:
    def divide(conn: sa.Connection) -> None:
        conn.execute(sa.text("SELECT 1/0"))

    desk.runner().run(desk.issue("a"), Effect(also=divide))

    assert [("a", "bug")] == desk.parked()


def test_the_next_batch_runs_after_any_failure(desk: Desk) -> None:
    runner = desk.runner()
    runner.run(desk.issue("a"), Effect({"a": CircuitOpen("down")}))

    assert 1 == runner.run(desk.issue("b"), Effect())


def test_a_suspect_that_fails_does_not_keep_the_next(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    desk.die(ids)

    desk.runner().run(ids, Effect({"a": ZeroDivisionError()}))

    assert (["a"], [("a", "bug")]) == (desk.keys(), desk.parked())


# A database that goes away.


def lose_connection(conn: sa.Connection) -> None:
    """The server ends this very connection, as a restart would."""
    conn.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))


def test_a_database_lost_in_the_middle_is_no_death_of_the_worker(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    with capture_logs() as logs:
        assert 2 == desk.runner().run(ids, Effect(also=lose_connection))

    events = [line["event"] for line in logs]
    assert ("database_unavailable", {"command_retried"}) == (events[0], set(events[1:]))
    rows = [desk.row(key) for key in ("a", "b")]
    assert [("open", 0, 0, True)] * 2 == [(row.state, row.attempts, row.issued, row.begun) for row in rows]
    assert rows[0].due_in <= 0.5


def test_a_transaction_that_idled_too_long_is_tried_again(desk: Desk) -> None:
    ids = desk.issue("a")

    def idle(conn: sa.Connection) -> None:
        mine = conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        conn.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 1"))
        running = "SELECT 1 FROM pg_stat_activity WHERE pid = :pid"
        wait_until(lambda: not desk.rows(running, pid=mine), what="the server to end the transaction")

    assert 1 == desk.runner().run(ids, Effect(also=idle))
    assert ([], ["a"], 0) == (desk.parked(), desk.keys(), desk.row("a").attempts)


def test_a_database_lost_while_a_failure_is_recorded_is_no_death_either(desk: Desk) -> None:
    ids = desk.issue("a")

    def lose(conn: sa.Connection, parked: object) -> None:
        lose_connection(conn)

    assert 1 == desk.runner(on_parked=lose, patience_seconds=0).run(ids, Effect({"a": Permanent("no")}))
    assert ([], ["a"], 0) == (desk.parked(), desk.keys(), desk.row("a").attempts)


def test_a_database_that_is_away_is_no_error_of_the_message() -> None:
    from chassis.work import Runner

    nobody = patient("postgresql+psycopg://x:y@127.0.0.1:1/none")

    with capture_logs() as logs:
        assert 0 == Runner(nobody, patience_seconds=0).run([1], Effect())
    assert ["run_cut_short", "not_given_back"] == [line["event"] for line in logs]


def test_whoever_waits_in_vain_for_a_lock_is_no_suspect_however_often(desk: Desk) -> None:
    ids = desk.issue("a")
    desk.put("b")
    runner = desk.runner(max_attempts=1)
    with desk.engine.begin() as holder:
        holder.execute(sa.text("SELECT FROM outbox WHERE key = 'b' FOR UPDATE"))

        def wait(conn: sa.Connection) -> None:
            conn.execute(sa.text("SET LOCAL lock_timeout = 1"))
            conn.execute(sa.text("SELECT FROM outbox WHERE key = 'b' FOR UPDATE"))

        for _ in range(3):
            desk.run("UPDATE outbox SET issued = 1 WHERE key = 'a'")
            assert 1 == runner.run(ids, Effect(also=wait))

    row = desk.row("a")
    assert ("open", 0, 0, 3, True) == (row.state, row.issued, row.attempts, row.failures, row.begun)
    assert "canceling statement due to lock timeout" == row.last_error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *(("40001", "contended"), ("40P01", "contended"), ("55P03", "contended"), ("57014", "contended")),
        *(("25006", "unavailable"), ("42501", "unavailable"), ("53100", "unavailable"), ("58030", "unavailable")),
    ],
)
def test_what_the_server_may_do_another_time_is_tried_again(desk: Desk, code: str, kind: str) -> None:
    def refuse(conn: sa.Connection) -> None:
        conn.execute(sa.text(f"DO $$ BEGIN RAISE 'not now' USING ERRCODE = '{code}'; END $$"))

    with capture_logs() as logs:
        assert 2 == desk.runner().run(desk.issue("a", "b"), Effect(also=refuse))

    first, *retried = logs
    assert (f"database_{kind}", 2, "not now") == (first["event"], first["commands"], first["error"])
    assert [("command_retried", "not now", 1)] * 2 == [
        (line["event"], line["why"], line["attempt"]) for line in retried
    ]
    assert [(1, "not now")] * 2 == [(desk.row(key).failures, desk.row(key).last_error) for key in ("a", "b")]
    assert desk.row("a").due_in <= 0.5


def test_a_wrong_statement_of_the_runner_itself_is_not_hidden(desk: Desk) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        desk.runner().run(["not a number"], Effect())  # type: ignore[list-item]


def test_an_outcome_is_recorded_only_for_a_row_that_is_still_held(desk: Desk) -> None:
    ids = desk.issue("a")

    def overtaken(_: sa.Connection) -> None:
        raise Transient("busy")

    first = Effect(also=overtaken)
    engine = patient(desk.url)
    transactions: list[object] = []

    def overtake(conn: object) -> None:
        transactions.append(conn)
        if len(transactions) == 3:  # start, effect, record
            desk.runner().run(ids, Effect())

    sa.event.listen(engine, "begin", overtake)
    from chassis.work import Runner

    assert 0 == Runner(engine).run(ids, first)
    assert [] == desk.keys()
    engine.dispose()


def test_retries_of_many_are_recorded_each_with_its_own_words(desk: Desk) -> None:
    ends = {"a": Retry(10, "first"), "b": Retry(20, "second", counts=False), "c": Done()}

    desk.runner().run(desk.issue("a", "b", "c"), Effect(ends))

    assert [("first", 1), ("second", 0)] == [
        (row.last_error, row.failures) for row in desk.rows("SELECT * FROM outbox ORDER BY id")
    ]


def test_parking_a_command_is_written_to_the_audit(desk: Desk) -> None:
    desk.runner().run(desk.issue("a"), Effect({"a": Permanent("no such card")}))

    audit = desk.rows("SELECT a.actor, a.act, a.detail FROM parked_audit a JOIN parked p ON p.id = a.parked_id")
    assert [("worker", "park", "permanent")] == [tuple(row) for row in audit]
