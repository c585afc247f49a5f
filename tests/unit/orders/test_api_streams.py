"""An event stream in small: what is said when nothing happens, and when the database is away."""

import asyncio
from typing import Any

import pytest

from chassis.http.threads import Threads
from orders.api import stream_routes
from orders.domain.saga import State
from orders.domain.views import Entry
from orders.ports import StoreUnavailable


class Scripted:
    """Answers each look at the timeline with the next thing on its list."""

    def __init__(self, *looks: Any) -> None:
        self.looks = list(looks)
        self.after: list[int] = []

    def news(self, order_id: str, *, after: int, limit: int) -> tuple[State, list[Entry]]:
        self.after.append(after)
        look = self.looks.pop(0)
        if isinstance(look, Exception):
            raise look
        return look


async def told(viewing: Any, monkeypatch: pytest.MonkeyPatch, *, draining: bool = False) -> list[str]:
    monkeypatch.setattr(stream_routes, "POLL_SECONDS", 0.0)
    event = asyncio.Event()
    if draining:
        event.set()
    return [part async for part in stream_routes._events(viewing, Threads(1, 5.0), "o-1", 7, event, 60.0)]


def test_silence_is_broken_by_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_routes, "KEEP_ALIVE_SECONDS", 0.0)
    viewing = Scripted((State.PAID, []), (State.DELIVERED, []))

    assert ": still here\n\n" in asyncio.run(told(viewing, monkeypatch))


def test_a_stream_outlives_the_database_being_away(monkeypatch: pytest.MonkeyPatch) -> None:
    viewing = Scripted(StoreUnavailable("away"), (State.DELIVERED, []))

    assert asyncio.run(told(viewing, monkeypatch))[-1].startswith("event: end\n")


def test_a_draining_process_looks_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    viewing = Scripted()
    asyncio.run(told(viewing, monkeypatch, draining=True))

    assert viewing.after == []
