"""What a drill sends as strange is refused by the gate of a worker, every kind of it, and is told from anything else that is parked."""

from typing import Any

import pytest
from kombu.message import Message

from chassis import message_checks, storable
from conductor.harness import hostile_messages
from conductor.harness.broker_client import task_headers
from conductor.harness.hostile_messages import HostileMessage

EVERY_KIND = hostile_messages.drawn("run", 1, 56, [7, 8])


class Task:
    """One that takes what a batch's task takes."""

    versions = (1,)

    def __header__(self, v: int = 1, ids: Any = ()) -> None: ...


def fault_of(message: HostileMessage) -> message_checks.Fault | None:
    properties = {"content_type": "application/json", "content_encoding": "utf-8", **message.properties}
    arrived = Message(
        message.body,
        headers={**task_headers("shop.note"), **message.headers},
        content_type=properties["content_type"],
        content_encoding=properties["content_encoding"],
        accept={"application/json"},
        properties=dict(message.properties),
    )
    return message_checks.fault(arrived, {"shop.note": Task()})


@pytest.mark.parametrize("message", EVERY_KIND, ids=lambda message: message.what)
def test_each_is_refused(message: HostileMessage) -> None:
    found = fault_of(message)

    assert found is not None
    assert found.message_only or b"7, 8" not in message.body


def test_every_kind_is_drawn_once_before_one_comes_twice() -> None:
    assert 56 == len({message.what for message in EVERY_KIND})


def test_the_seed_decides_the_kinds_and_the_run_the_marks() -> None:
    again, other = (hostile_messages.drawn(run, 1, 56, [7, 8]) for run in ("run", "other"))

    assert EVERY_KIND == again
    assert [one.what for one in EVERY_KIND] == [one.what for one in other]
    assert not {form for one in EVERY_KIND for form in one.kept_as} & {form for one in other for form in one.kept_as}


@pytest.mark.parametrize("message", EVERY_KIND, ids=lambda message: message.what)
def test_each_is_known_by_its_body_when_it_is_kept_raw(message: HostileMessage) -> None:
    assert hostile_messages.fingerprint(storable.raw_body(message.body)) in message.kept_as
