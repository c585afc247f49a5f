"""Running a batch: what a death, a second delivery or a poisonous command costs the others."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from desk import Desk, Effect, patient
from structlog.testing import capture_logs

from chassis.outbox import Done, Park, Retry
from chassis.work import Runner
from servers import die_with_parent, wait_until

DYING = Path(__file__).with_name("dying_worker.py")


def test_what_is_done_is_gone(desk: Desk) -> None:
    ended = desk.runner().run(desk.issue("a", "b"), Effect())

    assert (2, []) == (ended, desk.keys())


def test_fresh_commands_run_together(desk: Desk) -> None:
    effect = Effect()

    desk.runner().run(desk.issue("a", "b", "c"), effect)

    assert [["a", "b", "c"]] == effect.calls


def test_a_batch_costs_two_transactions_whatever_its_size(desk: Desk) -> None:
    ids = desk.issue("a", "b", "c")
    begun: list[object] = []
    sa.event.listen(desk.engine, "begin", begun.append)

    desk.runner().run(ids, Effect())

    assert 2 == len(begun)


def statements(desk: Desk) -> list[str]:
    """What is asked of the database from now on."""
    asked: list[str] = []
    sa.event.listen(desk.engine, "before_cursor_execute", lambda *told: asked.append(" ".join(told[2].split())))
    return asked


def test_a_batch_that_is_done_takes_three_statements(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    asked = statements(desk)

    desk.runner().run(ids, Effect())

    assert ["UPDATE", "SELECT", "DELETE"] == [statement.split()[0] for statement in asked]


def test_a_batch_that_is_tried_again_takes_three_statements(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    asked = statements(desk)

    desk.runner().run(ids, Effect({"a": Retry(1, "busy"), "b": Retry(1, "busy")}))

    assert ["UPDATE", "SELECT", "UPDATE"] == [statement.split()[0] for statement in asked]


def test_a_delivery_that_finds_nothing_takes_two_statements(desk: Desk) -> None:
    asked = statements(desk)

    desk.runner().run([7], Effect())

    assert ["UPDATE", "SELECT"] == [statement.split()[0] for statement in asked]


def test_a_start_is_committed_before_the_effect_begins(desk: Desk) -> None:
    ids = desk.issue("a")
    attempts: list[int] = []

    desk.runner().run(ids, Effect(also=lambda _: attempts.append(desk.row("a").attempts)))

    assert [1] == attempts


def test_a_second_delivery_finds_nothing_while_the_first_one_runs(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    second = Effect()
    ended: list[int] = []

    desk.runner().run(ids, Effect(also=lambda _: ended.append(Runner(desk.engine).run(ids, second))))

    assert ([0], []) == (ended, second.calls)


def test_a_second_delivery_that_comes_between_start_and_lock_takes_the_work_over(desk: Desk) -> None:
    ids = desk.issue("a")
    slow, first, second = patient(desk.url), Effect(), Effect()
    transactions: list[object] = []

    def overtake(conn: object) -> None:
        transactions.append(conn)
        if len(transactions) == 2:
            desk.runner().run(ids, second)

    sa.event.listen(slow, "begin", overtake)

    assert 0 == Runner(slow).run(ids, first)
    assert ([], [["a"]]) == (first.calls, second.calls)
    slow.dispose()


def test_a_delivery_after_the_end_finds_nothing(desk: Desk) -> None:
    ids = desk.issue("a")
    desk.runner().run(ids, Effect())
    again = Effect()

    assert 0 == desk.runner().run(ids, again)
    assert [] == again.calls


def test_a_delivery_from_before_a_retry_is_stale_and_does_nothing(desk: Desk) -> None:
    ids = desk.issue("a")
    desk.runner().run(ids, Effect({"a": Retry(60, "busy")}))
    stale = Effect()

    assert 0 == desk.runner().run(ids, stale)
    assert [] == stale.calls


def test_ids_that_do_not_exist_are_nobodys(desk: Desk) -> None:
    effect = Effect()

    assert 0 == desk.runner().run([7, 2**62], effect)
    assert [] == effect.calls


def test_the_effects_writes_stand_only_with_the_outcome(desk: Desk) -> None:
    ids = desk.issue("a")

    def write(conn: sa.Connection) -> None:
        conn.execute(sa.text("INSERT INTO parked_audit (parked_id, actor, act) VALUES (1, 'effect', 'write')"))

    desk.runner().run(ids, Effect({"a": ValueError("after the write")}, also=write))

    assert [] == desk.rows("SELECT FROM parked_audit WHERE actor = 'effect'")


# A worker that dies.


def test_the_lock_of_a_killed_worker_vanishes_with_it(desk: Desk) -> None:
    ids = desk.issue("a")
    worker = subprocess.Popen(
        [sys.executable, DYING, desk.url, str(ids[0])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    assert worker.stdout is not None
    assert b"holding\n" == worker.stdout.readline()
    effect = Effect()
    assert 0 == desk.runner().run(ids, effect)

    worker.kill()
    worker.wait()
    wait_until(lambda: desk.runner().run(ids, effect) == 1, what="the lock to go with its process")

    (work,) = effect.seen
    assert (2, True) == (work.attempts, work.begun)


def test_what_a_dead_worker_held_is_tried_one_at_a_time(desk: Desk) -> None:
    ids = desk.issue("a", "b", "x", "y")
    desk.die(ids[:2])
    effect = Effect()

    assert 4 == desk.runner().run(ids, effect)
    assert [["x", "y"], ["a"], ["b"]] == effect.calls


def test_a_suspect_is_counted_just_before_it_runs_and_not_earlier(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    desk.die(ids)
    counted: list[list[int]] = []

    def look(_: object) -> None:
        counted.append([row.attempts for row in desk.rows("SELECT attempts FROM outbox ORDER BY id")])

    desk.runner().run(ids, Effect(also=look))

    assert [[2, 1], [2]] == counted


def test_a_suspect_that_another_worker_took_meanwhile_is_left_to_it(desk: Desk) -> None:
    ids = desk.issue("a", "b")
    desk.die(ids)
    other, effect = Effect(), Effect()
    effect.also = lambda _: Runner(desk.engine).run(ids[1:], other) and None

    assert 1 == desk.runner().run(ids, effect)
    assert ([["a"]], [["b"]]) == (effect.calls, other.calls)


def test_a_command_that_killed_too_many_workers_is_parked_without_another_try(desk: Desk) -> None:
    ids = desk.issue("a")
    for _ in range(3):
        desk.die(ids)
    effect = Effect()

    assert 1 == desk.runner(max_attempts=3).run(ids, effect)
    assert ([], "parked") == (effect.calls, desk.row("a").state)
    (record,) = desk.rows("SELECT reason, detail FROM parked")
    assert ("poison", "started 3 times without an outcome") == tuple(record)


def test_as_many_deaths_as_are_allowed_leave_one_more_try(desk: Desk) -> None:
    ids = desk.issue("a")
    for _ in range(2):
        desk.die(ids)

    desk.runner(max_attempts=3).run(ids, Effect())

    assert ([], []) == (desk.keys(), desk.parked())


def test_poison_does_not_keep_its_neighbours(desk: Desk) -> None:
    ids = desk.issue("poison", "good")
    for _ in range(2):
        desk.die(ids[:1])

    desk.runner(max_attempts=2).run(ids, Effect())

    assert ([("poison", "poison")], ["poison"]) == (desk.parked(), desk.keys())


def test_retries_are_no_deaths(desk: Desk) -> None:
    ids = desk.issue("a")
    for _ in range(5):
        desk.runner(max_attempts=2).run(ids, Effect({"a": Retry(0, "busy")}))
        desk.run("UPDATE outbox SET issued = 1")

    desk.runner(max_attempts=2).run(ids, Effect())

    assert ([], []) == (desk.keys(), desk.parked())


def test_a_clean_retry_clears_the_deaths_before_it(desk: Desk) -> None:
    ids = desk.issue("a")
    for _ in range(2):
        desk.die(ids)
        desk.runner(max_attempts=3).run(ids, Effect({"a": Retry(0, "busy")}))
        desk.run("UPDATE outbox SET issued = 1")

    desk.runner(max_attempts=3).run(ids, Effect())

    assert [] == desk.parked()


def test_a_death_is_remembered_through_clean_retries(desk: Desk) -> None:
    ids = desk.issue("a")
    desk.die(ids)
    seen = []
    for _ in range(3):
        effect = Effect({"a": Retry(0, "busy")})
        desk.runner().run(ids, effect)
        seen += [work.begun for work in effect.seen]
        desk.run("UPDATE outbox SET issued = 1")

    assert [True, True, True] == seen


def test_a_command_that_nobody_began_is_not_begun(desk: Desk) -> None:
    effect = Effect({"a": Retry(0, "circuit open", counts=False)})
    ids = desk.issue("a")
    for _ in range(2):
        desk.runner().run(ids, effect)
        desk.run("UPDATE outbox SET issued = 1")

    assert [False, False] == [work.begun for work in effect.seen]


def test_a_command_without_an_outcome_stays_open_for_the_next_delivery(desk: Desk) -> None:
    ids = desk.issue("a")

    assert 0 == desk.runner().run(ids, lambda conn, works: {})
    assert ("open", 1) == (desk.row("a").state, desk.row("a").attempts)


# Who is told.


def test_a_service_marks_what_was_parked_in_the_same_transaction(desk: Desk) -> None:
    transactions: list[int] = []

    def mark(conn: sa.Connection, parked: object) -> None:
        transactions.append(conn.execute(sa.text("SELECT txid_current()")).scalar_one())

    desk.runner(on_parked=mark).run(desk.issue("a"), Effect({"a": Park("permanent")}))

    assert transactions == [int(row.xmin) for row in desk.rows("SELECT xmin::text FROM parked")]


def test_a_service_is_told_of_what_was_parked_and_of_nothing_else(desk: Desk) -> None:
    told: list[dict[str, Park]] = []
    ends = {"a": Park("permanent", "no"), "b": Retry(1, "busy")}

    desk.runner(on_parked=lambda _, parked: told.append({w.key: p for w, p in parked.items()})).run(
        desk.issue("a", "b", "c"), Effect(ends)
    )

    assert [{"a": Park("permanent", "no")}] == told


def test_the_service_hears_nothing_when_nothing_is_parked(desk: Desk) -> None:
    told: list[object] = []

    desk.runner(on_parked=lambda *heard: told.append(heard)).run(desk.issue("a"), Effect())

    assert [] == told


def test_without_a_mark_to_make_parking_is_no_trouble(desk: Desk) -> None:
    with capture_logs() as logs:
        desk.runner().run(desk.issue("a"), Effect({"a": Park("permanent")}))

    assert ([("a", "permanent")], ["command_parked"]) == (desk.parked(), [line["event"] for line in logs])


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT 1/0"])
def test_a_command_is_parked_also_when_the_service_cannot_mark_it(desk: Desk, statement: str) -> None:
    def fail(conn: sa.Connection, parked: object) -> None:
        conn.execute(sa.text(statement))
        raise KeyError("no such order")

    desk.runner(on_parked=fail).run(desk.issue("a"), Effect({"a": Park("permanent")}))

    assert [("a", "permanent")] == desk.parked()


def test_an_observer_is_told_how_every_command_ended(desk: Desk) -> None:
    told: dict[str, object] = {}
    ends = {"a": Park("permanent"), "b": Retry(1, "busy")}

    desk.runner(observer=lambda work, outcome: told.update({work.key: outcome})).run(
        desk.issue("a", "b", "c"), Effect(ends)
    )

    assert {**ends, "c": Done()} == told
