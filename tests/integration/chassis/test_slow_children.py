"""A pool whose children take long to start, as on a machine whose CPU is short, works all the same."""

from typing import Any

from servers import wait_until

STARTS_SECONDS = 5.0
"""Celery by itself gives a child 4 s."""


def test_children_that_take_long_to_start_do_their_tasks(rabbit_shop: Any) -> None:
    rabbit_shop.worker(extra=("--max-tasks-per-child", "1"), ready=False, CHILD_STARTS_SECONDS=str(STARTS_SECONDS))

    for _ in range(2):
        rabbit_shop.send("shop.note")

    wait_until(lambda: len(rabbit_shop.acts()) == 2, what="two tasks of two children", seconds=60)
    assert "Timed out waiting for UP" not in rabbit_shop.log()
