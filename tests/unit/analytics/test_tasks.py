"""What the tasks leave behind when their store is away."""

import pytest

from analytics import tasks
from analytics.adapters.engagement_store import RedisEngagementStore
from analytics.adapters.store_clients import StoreAddress
from analytics.queues import QUEUES, RECOMMEND_USERS, SERVICE
from analytics.usecases.recommendations import Recommender
from chassis import parking
from chassis.app import make_app
from chassis.settings import ServiceSettings

NOBODY = "redis://127.0.0.1:1/0"


def test_users_that_could_not_be_learned_are_not_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    parked: list[str] = []
    monkeypatch.setattr(parking, "park_failure", lambda _, **told: parked.append(told["reason"]))
    settings = ServiceSettings(database_url="postgresql+psycopg://nobody/none", broker_url="amqp://nobody")
    app = make_app(SERVICE, QUEUES, settings)
    store = RedisEngagementStore(StoreAddress(NOBODY).client(decode_responses=True), kept_seconds=1)
    tasks.register(app, {}, Recommender(store, chunk=1, chunks=1, queued=1).learn)

    ended = app.tasks[RECOMMEND_USERS].apply(kwargs={"v": 1, "users": ["u"]})

    assert ("FAILURE", []) == (ended.state, parked)
