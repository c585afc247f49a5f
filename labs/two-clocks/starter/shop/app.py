"""The application and its settings."""

from celery import Celery

app = Celery(
    "shop",
    broker="redis://localhost:6379/0",
    backend="redis://localhost:6379/1",
    include=["shop.tasks", "shop.digests"],
)
app.conf.timezone = "UTC"
app.conf.beat_schedule = {"digest": {"task": "shop.digests.digest", "schedule": 2.0}}
