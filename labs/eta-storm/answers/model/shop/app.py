"""The application and its settings."""

from celery import Celery

app = Celery(
    "shop",
    broker="redis://localhost:6379/0",
    backend="redis://localhost:6379/1",
    include=["shop.tasks", "shop.reminders"],
)
app.conf.timezone = "UTC"
app.conf.task_acks_late = True
# Longer than any reminder waits, and than any task runs.
app.conf.broker_transport_options = {
    "visibility_timeout": 300,
    # Look every two seconds for what is overdue, not every hundred.
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}
