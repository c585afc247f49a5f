"""A wrong answer: beside the task that it works on, each process holds one that it does not."""

from celery import Celery

app = Celery(
    "shop", broker="amqp://guest:guest@localhost:5672//", backend="redis://localhost:6379/1", include=["shop.tasks"]
)
app.conf.timezone = "UTC"
app.conf.worker_prefetch_multiplier = 1
