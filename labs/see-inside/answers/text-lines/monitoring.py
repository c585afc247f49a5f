"""A wrong answer: the formatter is written, and nobody tells Celery of it."""

import json
import logging
import time

import redis
from celery import current_task, signals

store = redis.Redis.from_url("redis://localhost:6379/1", decode_responses=True)

KEY = "task-metrics"


class OneObjectALine(logging.Formatter):
    """A record as JSON, with the task in which it was logged."""

    def format(self, record):
        line = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if current_task:
            line |= {"task_id": current_task.request.id, "task_name": current_task.name}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def setup_logging(**kwargs):
    """Have every log line of the worker written as one JSON object."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneObjectALine())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class TaskMetrics:
    """Counts of all tasks, kept in the store because each task runs in another process."""

    def record_completion(self, runtime):
        """Count a task that succeeded; `runtime` in seconds."""
        with store.pipeline() as both:
            both.hincrby(KEY, "tasks_completed", 1)
            both.hincrbyfloat(KEY, "total_runtime", runtime)
            both.execute()

    def record_failure(self):
        """Count a task that failed."""
        store.hincrby(KEY, "tasks_failed", 1)

    def get_stats(self):
        """Return `tasks_completed`, `tasks_failed` and `total_runtime`, in seconds."""
        kept = store.hgetall(KEY)
        return {
            "tasks_completed": int(kept.get("tasks_completed", 0)),
            "tasks_failed": int(kept.get("tasks_failed", 0)),
            "total_runtime": float(kept.get("total_runtime", 0)),
        }


metrics = TaskMetrics()

began = {}


@signals.task_prerun.connect
def monitor_task_prerun(sender=None, task_id=None, task=None, args=None, kwargs=None, **kwds):
    """Called before a task runs."""
    began[task_id] = time.monotonic()


@signals.task_postrun.connect
def monitor_task_postrun(sender=None, task_id=None, task=None, args=None, kwargs=None, retval=None, state=None, **kwds):
    """Called after a task ran, however it ended."""
    runtime = time.monotonic() - began.pop(task_id)
    if state == "SUCCESS":
        metrics.record_completion(runtime)


@signals.task_failure.connect
def monitor_task_failure(sender=None, task_id=None, exception=None, traceback=None, einfo=None, **kwds):
    """Called when a task failed."""
    metrics.record_failure()
