"""What the main process says and counts of a task whose process is gone."""

from collections.abc import Iterator

import pytest
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery import signals
from celery.app.trace import build_tracer
from celery.worker import request as celery_request
from kombu.message import Message

from chassis import metrics
from chassis.app import ChassisApp, make_app
from chassis.instruments import Watch
from chassis.request import Request
from chassis.settings import ServiceSettings


@pytest.fixture
def app() -> ChassisApp:
    settings = ServiceSettings(database_url="postgresql+psycopg://nobody/none", broker_url="amqp://nobody")
    return make_app("shop", ("shop.till",), settings)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> metrics.Metrics:
    """What is counted here, in the process of the task and in the main one alike."""
    made = metrics.Metrics("till")
    monkeypatch.setattr(metrics, "_set", made)
    return made


@pytest.fixture
def watch() -> Iterator[Watch]:
    """The watch of the process of the task."""
    made = Watch("rabbitmq")
    signals.task_prerun.connect(made.begin)
    signals.task_postrun.connect(made.end)
    yield made
    signals.task_prerun.disconnect(made.begin)
    signals.task_postrun.disconnect(made.end)


def failed(app: ChassisApp, error: BaseException) -> None:
    """Tell the main process how a task of the pool ended."""
    message = Message(
        body="[[], {}, {}]", content_type="application/json", headers={"id": "id", "task": "shop.leave"}, channel=None
    )
    request = Request(message, app=app)
    try:
        raise error
    except BaseException:  # noqa: BLE001 - whatever it was told
        request.on_failure(ExceptionInfo())


def counted(counts: metrics.Metrics, task: str) -> tuple[float, float]:
    """How often a task failed, and how often its process was lost."""
    wanted = ((metrics.TASKS, "failed"), (metrics.KILLED, "lost"))
    failures, losses = (counts.labelled(name, task, how)._value.get() for name, how in wanted)
    return failures, losses


@pytest.mark.usefixtures("watch")
def test_a_task_that_ends_its_own_process_counts_once(
    app: ChassisApp, counts: metrics.Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_request.Request, "on_failure", lambda *_: None)  # it would ask the broker

    @app.task(name="shop.leave")
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit) as ended:
        build_tracer(leave.name, leave, app=app)("id", (), {}, {})
    failed(app, ended.value)

    assert (1, 1) == counted(counts, leave.name)


def test_a_task_that_is_killed_with_its_process_is_left_to_the_files_of_that(
    app: ChassisApp, counts: metrics.Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_request.Request, "on_failure", lambda *_: None)

    failed(app, WorkerLostError("signal 9"))

    assert (0, 0) == counted(counts, "shop.leave")
