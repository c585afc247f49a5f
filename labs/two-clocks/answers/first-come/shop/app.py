"""A wrong answer: whoever starts first has the clock, also when it is dead."""

from celery import Celery
from shop.orders import store

app = Celery(
    "shop",
    broker="redis://localhost:6379/0",
    backend="redis://localhost:6379/1",
    include=["shop.tasks", "shop.digests"],
)
app.conf.timezone = "UTC"
if store.set("clock", "taken", nx=True):
    app.conf.beat_schedule = {"digest": {"task": "shop.digests.digest", "schedule": 2.0}}
