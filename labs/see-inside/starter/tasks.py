"""Two tasks to look into. Leave this file as it is."""

import time

import monitoring  # noqa: F401 connects what it has to the signals
from celery import Celery
from celery.utils.log import get_task_logger

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)

logger = get_task_logger(__name__)


@app.task
def work(marker, seconds=0):
    """Return the marker, after so many seconds."""
    logger.info("working on %s", marker)
    time.sleep(seconds)
    return marker


@app.task
def fail(marker):
    """Raise RuntimeError."""
    logger.info("working on %s", marker)
    raise RuntimeError(f"{marker} cannot be done")
