"""The application."""

import os

from celery import Celery

app = Celery("wordcount", broker=os.environ["BROKER_URL"], include=["wordcount.tasks"])
app.conf.update(
    task_default_queue="words",
    # A worker that dies gives its task back, and one that is stopped finishes what it has.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_transport_options={"visibility_timeout": int(os.environ.get("VISIBILITY_TIMEOUT_SECONDS", "300"))},
    beat_schedule={"total": {"task": "wordcount.tasks.total", "schedule": 10.0}},
)
