"""A task that fails, and is no batch of commands, is parked once for as long as it is parked."""

from threading import Thread

import sqlalchemy as sa
from desk import Desk

from chassis.parking import park_failure
from servers import wait_until


def fail(desk: Desk, task: str = "shop.note", reason: str = "bug", **kwargs: object) -> None:
    park_failure(desk.url, queue="shop.till", task=task, kwargs=kwargs, reason=reason, detail="Traceback")


def test_a_failure_is_parked_with_its_arguments(desk: Desk) -> None:
    fail(desk, n=1)

    (record,) = desk.rows("SELECT * FROM parked")
    assert ("shop.till", "shop.note", {"n": 1}) == (record.queue, record.task, record.body)
    assert ("bug", "Traceback", None) == (record.reason, record.detail, record.key)
    assert ["park"] == [row.act for row in desk.rows("SELECT act FROM parked_audit")]


def test_the_same_failure_again_is_the_same_record(desk: Desk) -> None:
    for _ in range(3):
        fail(desk, n=1)

    assert 1 == len(desk.rows("SELECT FROM parked"))


def test_two_workers_that_fail_alike_at_once_make_one_record(desk: Desk) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    failures = [Thread(target=fail, args=(desk,)) for _ in range(2)]
    with desk.engine.begin() as conn:
        # Looking is allowed meanwhile, writing is not.
        conn.execute(sa.text("LOCK TABLE parked IN EXCLUSIVE MODE"))
        for failure in failures:
            failure.start()
        wait_until(lambda: len(desk.rows(waiting)) == 2, what="both to wait for something")
    for failure in failures:
        failure.join()

    assert 1 == len(desk.rows("SELECT FROM parked"))


def test_another_task_reason_or_argument_is_another_record(desk: Desk) -> None:
    fail(desk, n=1)
    fail(desk, n=2)
    fail(desk, task="shop.pack", n=1)
    fail(desk, reason="permanent", n=1)

    assert 4 == len(desk.rows("SELECT FROM parked"))


def test_a_failure_after_a_person_decided_is_a_new_record(desk: Desk) -> None:
    fail(desk, n=1)
    desk.run("UPDATE parked SET status = 'dropped'")
    fail(desk, n=1)

    assert 2 == len(desk.rows("SELECT FROM parked"))
