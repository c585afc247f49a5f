"""Which process a kill hits: one that runs a command at its moment, and none whose command was hit before."""

import random
import signal
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from conductor.harness.outbox_state import Held
from conductor.harness.targeted_kill import aimed_kill
from conductor.history import Kill


class Platform:
    """One process, which runs the next of some batches at each look; it remembers what it was sent."""

    def __init__(self, *batches: Sequence[str]) -> None:
        self._batches = list(batches)
        self.signals: list[int] = []

    def kill(self, pool: str, which: str, number: int, index: int) -> Sequence[int]:
        self.signals.append(number)
        return (17,)

    def ports(self, pids: Sequence[int]) -> frozenset[int]:
        return frozenset({4711})

    def pools(self) -> dict[str, Any]:
        return {"adders": SimpleNamespace(queues=("q",))}

    def held_by(self, ports: frozenset[int], queues: Sequence[str]) -> list[Held]:
        return [Held(key, 1, 4711) for key in self._batches.pop(0)]


def session_of(platform: Platform, *kills: Kill) -> Any:
    return SimpleNamespace(
        runtime=platform,
        outbox=platform,
        progress=SimpleNamespace(in_flight=lambda: 9),
        size=SimpleNamespace(in_flight=5),
        rng=random.Random(1),
        left_seconds=60.0,
        kills=list(kills),
        record=lambda kill: None,
    )


EFFECTS = cast(Any, SimpleNamespace(moment=lambda keys: "before" if keys[0].startswith("b") else "after"))


def test_a_kill_waits_for_its_moment() -> None:
    platform = Platform(["a/1"], [], ["b/2", "b/3"])

    kill = aimed_kill(session_of(platform), EFFECTS, "adders", "tree", "before")

    assert ("before", ("b/2", "b/3")) == (kill.moment, kill.commands)
    stop, go = signal.SIGSTOP, signal.SIGCONT
    assert [stop, go, stop, go, stop, signal.SIGKILL] == platform.signals


def test_a_command_that_was_hit_is_not_hit_again() -> None:
    platform = Platform(["b/1"], ["b/2", "b/1"], ["b/3"])
    before = Kill(1.0, "adders", "tree", (17,), "before", ("b/1",))

    kill = aimed_kill(session_of(platform, before), EFFECTS, "adders", "tree", "before")

    assert ("b/3",) == kill.commands
