"""Tasks with a base of their own, a producer and a consumer, and a pipeline."""

from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("tasks", broker=STORE, backend=STORE)


class BaseTask(app.Task):
    """What all tasks have in common."""

    abstract = True


@app.task(base=BaseTask)
def produce_data(queue_name, data):
    """Have each item consumed by a task on the queue."""


@app.task(base=BaseTask)
def consume_data(queue_name, item):
    """Write the item with twice its value, once."""


@app.task(base=BaseTask)
def extract_data(source):
    """Return the rows of a source."""


@app.task(base=BaseTask)
def transform_data(raw_data):
    """Return the rows, each with its total."""


@app.task(base=BaseTask)
def load_data(transformed_data, destination):
    """Put the rows at the destination."""


def create_pipeline(source, destination):
    """Start the pipeline, and return the result of its last task."""
