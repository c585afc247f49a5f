"""How a child process ends."""

import os
from typing import Any

import pytest

from chassis import instruments, tracing


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done at the end, in order, without ending this process."""
    done: list[str] = []
    monkeypatch.setattr(tracing, "stop", lambda: done.append("flush"))
    monkeypatch.setattr(os, "_exit", lambda code: done.append(f"exit {code}"))
    return done


def test_a_child_that_ends_with_its_pool_flushes_and_leaves_at_once(ends: list[str]) -> None:
    instruments.leave(exitcode=0)

    assert ends == ["flush", "exit 0"]


def test_a_child_that_is_recycled_flushes_and_says_goodbye_to_its_parent(ends: list[str]) -> None:
    instruments.leave(exitcode=155)

    assert ends == ["flush"]


def test_a_count_that_nobody_wants_is_none(ends: Any) -> None:
    from chassis.settings import ServiceSettings

    instruments.count_parked(ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v"), "bug")
