"""The judge lets orders come, and stops them when the drill is over or has failed."""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

from conductor.errors import DrillFailed
from conductor.harness.session import Watch
from conductor.judge import Judge


class Watched:
    """Keeps how the orders ended."""

    ended = "not"

    @contextlib.contextmanager
    def orders(self) -> Iterator[Any]:
        try:
            yield self
        except DrillFailed as error:
            self.ended = str(error)
            raise
        self.ended = "when enough were accepted"


def test_orders_of_a_drill_that_failed_stop_at_once() -> None:
    watched = Watched()
    judge = Judge(cast(Watch, watched))

    judge.answer({"ask": "begin"})
    before = watched.ended
    answered = judge.answer({"ask": "abandon"})

    assert ("not", {}, "the drill was given up") == (before, answered, watched.ended)
