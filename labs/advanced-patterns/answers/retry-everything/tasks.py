"""A wrong answer: whatever goes wrong is tried again, also what can never go right."""

import logging

import stores
from celery import Celery, chain

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)

logger = logging.getLogger(__name__)


class BaseTask(app.Task):
    """Logs how each task ended."""

    abstract = True

    def on_success(self, retval, task_id, args, kwargs):
        """Called when a task succeeded."""
        logger.info("%s %s succeeded", self.name, task_id)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        """Called when a task failed for good."""
        logger.error("%s %s failed: %r", self.name, task_id, exc)

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        """Called when a task is to be tried again."""
        logger.warning("%s %s is tried again: %r", self.name, task_id, exc)


@app.task(base=BaseTask)
def produce_data(queue_name, data):
    """Have each item consumed by a task on the queue."""
    for item in data:
        consume_data.apply_async((queue_name, item), queue=queue_name)
    return len(data)


@app.task(base=BaseTask)
def consume_data(queue_name, item):
    """Write the item with twice its value, once, however often it comes."""
    if stores.store.hsetnx("consumed", item["id"], 1):
        stores.write({"id": item["id"], "value": 2 * item["value"]})
    return item["id"]


@app.task(base=BaseTask, autoretry_for=(Exception,), default_retry_delay=2, max_retries=5)
def extract_data(source):
    """Return the rows of a source; ask again while it is away."""
    return stores.read(source)


@app.task(base=BaseTask)
def transform_data(raw_data):
    """Return the rows, each with its total."""
    return [{**row, "total": row["quantity"] * row["price"]} for row in raw_data]


@app.task(base=BaseTask)
def load_data(transformed_data, destination):
    """Put the rows at the destination."""
    stores.load(destination, transformed_data)
    return {"destination": destination, "loaded": len(transformed_data)}


def create_pipeline(source, destination):
    """Start the pipeline, and return the result of its last task."""
    return chain(extract_data.s(source), transform_data.s(), load_data.s(destination)).apply_async()
