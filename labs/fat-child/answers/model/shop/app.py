"""The application and its settings."""

from celery import Celery

app = Celery(
    "shop",
    broker="redis://localhost:6379/0",
    backend="redis://localhost:6379/1",
    include=["shop.tasks", "shop.invoices"],
)
app.conf.timezone = "UTC"
# A library that leaks 200 kB a page costs 20 MB before its process is replaced.
app.conf.worker_max_tasks_per_child = 100
