"""Four kinds of work. Leave this file as it is."""

import time

import tuning
from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("app", broker=STORE, backend=STORE)
routes = tuning.configure_queues()
# Queues and routes may come together; Celery makes the queues that it needs.
app.conf.task_routes = routes[-1] if isinstance(routes, tuple) else routes


@app.task
def cpu_intensive(seconds):
    """Use the processor until so many seconds of it were used."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(number * number for number in range(2000))
    return seconds


@app.task
def io_intensive(seconds):
    """Wait for somebody else, for so many seconds."""
    time.sleep(seconds)
    return seconds


@app.task
def urgent():
    """Something that a person waits for."""
    return "done"


@app.task
def clean_up():
    """Something that nobody waits for, and that has to happen all the same."""
    return "clean"
