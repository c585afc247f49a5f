"""The application and its settings."""

from celery import Celery

app = Celery(
    "shop",
    broker="redis://localhost:6379/0",
    backend="redis://localhost:6379/1",
    include=["shop.tasks", "shop.metrics"],
)
app.conf.timezone = "UTC"
