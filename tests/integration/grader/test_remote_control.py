"""What a worker's answer to a command says of its event loop: what was due before is done."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.adapters import confining
from grader.checks import worker
from grader.errors import Unable
from grader.remote_control import carry_out
from grader.session import Session

ACKNOWLEDGES_LATER = """
import time
from celery import Celery
from kombu.transport.redis import QoS

app = Celery("shop", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")
at_once = QoS.ack


def ack(self, tag):
    time.sleep(0.5)
    at_once(self, tag)


QoS.ack = ack


@app.task
def charge():
    time.sleep(60)
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "shop.py").write_text(ACKNOWLEDGES_LATER)
    box = confining.best()
    with contextlib.ExitStack() as ends:
        ends.callback(box.end)
        made = Session(tmp_path, workspace, tmp_path, box, seed=1)
        ends.callback(made.end)
        made.begin(60)
        found = worker.run(worker.Parameters(app="shop", concurrency=1), made)
        assert found.passed, found
        yield made


def test_a_worker_that_answers_has_acknowledged_what_it_began_early(session: Session) -> None:
    session.app.send_task("shop.charge", task_id="one")
    assert session.events.first("one", lambda event: event["type"] == "task-started", 20)

    carry_out(session.app, session.workers["worker"], "ping")

    assert 0 == session.valkey.client().hlen("unacked")


def test_a_worker_that_consumes_nothing_any_more_leaves_what_is_sent_then(session: Session) -> None:
    at = session.workers["worker"]

    carry_out(session.app, at, "cancel_consumer", queue=at.queues[0])
    session.app.send_task("shop.charge", task_id="one")
    carry_out(session.app, at, "ping")

    assert 1 == session.valkey.client().llen(at.queues[0])


def test_a_worker_that_is_gone_is_told_of(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.remote_control.ANSWER_SECONDS", 1)
    session.workers["worker"].running.end()

    with pytest.raises(Unable):  # or TooBusy, which is one
        carry_out(session.app, session.workers["worker"], "ping")
