"""A wrong answer: nothing is lost, and whatever was interrupted is done, and paid, twice."""

from celery import Celery

app = Celery(
    "shop", broker="amqp://guest:guest@localhost:5672//", backend="redis://localhost:6379/1", include=["shop.tasks"]
)
app.conf.timezone = "UTC"
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
