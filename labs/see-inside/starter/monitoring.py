"""What is seen of the tasks from outside: their log lines, and how many ended how."""


def setup_logging(**kwargs):
    """Have every log line of the worker written as one JSON object."""


def monitor_task_prerun(sender=None, task_id=None, task=None, args=None, kwargs=None, **kwds):
    """Called before a task runs."""


def monitor_task_postrun(sender=None, task_id=None, task=None, args=None, kwargs=None, retval=None, **kwds):
    """Called after a task ran, however it ended."""


def monitor_task_failure(sender=None, task_id=None, exception=None, traceback=None, einfo=None, **kwds):
    """Called when a task failed."""


class TaskMetrics:
    """Counts of all tasks, in whichever process they ran."""

    def record_completion(self, runtime):
        """Count a task that succeeded; `runtime` in seconds."""

    def record_failure(self):
        """Count a task that failed."""

    def get_stats(self):
        """Return `tasks_completed`, `tasks_failed` and `total_runtime`, in seconds."""


metrics = TaskMetrics()
