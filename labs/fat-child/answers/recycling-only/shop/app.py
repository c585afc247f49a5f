"""A wrong answer: the leak stays, and processes are replaced before it shows."""

from celery import Celery

app = Celery(
    "shop",
    broker="redis://localhost:6379/0",
    backend="redis://localhost:6379/1",
    include=["shop.tasks", "shop.invoices"],
)
app.conf.timezone = "UTC"
app.conf.worker_max_tasks_per_child = 40
