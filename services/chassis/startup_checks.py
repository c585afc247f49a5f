"""What a worker must be told before it may start: Celery's defaults fit a demonstration, not a deployment.

Without a time limit one hung task takes a process for ever; the default concurrency is the node's CPUs, whatever the container
may use; a time limit beyond what the broker waits for runs the task twice.
"""

from typing import Any

CONSUMER_TIMEOUT_SECONDS = 1800.0
"""RabbitMQ closes the channel of a consumer that holds a message longer than this (its default `consumer_timeout`)."""


def problems(worker: Any, options: dict[str, Any]) -> list[str]:
    """Returns everything that is wrong with how a worker was started, as sentences; `options` is its command line."""
    settings = worker.app.settings
    hard, soft = worker.time_limit, worker.soft_time_limit
    wrong = []
    if not isinstance(worker.concurrency, int) or worker.concurrency < 1:
        wrong.append(f"--concurrency is {worker.concurrency!r}, not a number of processes or threads")
    if not hard or not soft or not 0 < soft < hard:
        wrong.append(f"--soft-time-limit {soft!r} and --time-limit {hard!r} are not two times, the first the shorter")
    elif settings.broker_is_redis and hard >= settings.visibility_timeout_seconds:
        wrong.append(
            f"--time-limit {hard:g} is not below VISIBILITY_TIMEOUT_SECONDS {settings.visibility_timeout_seconds}:"
            " a task that takes that long would be started again while it runs"
        )
    elif not settings.broker_is_redis and hard >= CONSUMER_TIMEOUT_SECONDS:
        wrong.append(f"--time-limit {hard:g} is not below the {CONSUMER_TIMEOUT_SECONDS:g} s that RabbitMQ waits")
    wrong += _batch_problems(worker, options)
    if worker.prefetch_multiplier != 1:
        wrong.append(
            f"--prefetch-multiplier is {worker.prefetch_multiplier!r}: one message a process, or others wait behind it"
        )
    if options.get("autoscale"):
        wrong.append("--autoscale has no effect on quorum queues; add replicas instead")
    if options.get("beat"):
        wrong.append("--beat inside a worker runs once a replica; it is a pool of its own")
    hasty = sorted(
        name for name, task in worker.app.tasks.items() if not task.acks_late and not name.startswith("celery.")
    )
    if hasty:
        wrong.append(f"tasks that acknowledge before they run: {', '.join(hasty)}")
    return wrong


def _batch_problems(worker: Any, options: dict[str, Any]) -> list[str]:
    asked = options.get("queues") or worker.app.service_queues
    queues = asked.split(",") if isinstance(asked, str) else list(asked)
    batches = [queue for queue in queues if queue in worker.app.batch_queues]
    if not batches:
        return []
    wrong = []
    if len(queues) > 1:
        wrong.append(
            f"--queues is {','.join(queues)}: a queue of batches ({batches[0]}) is consumed by a pool of its own"
        )
    pool = str(getattr(worker.pool_cls, "__module__", worker.pool_cls)).rpartition(".")[2]
    if pool != "solo" or worker.concurrency != 1:
        wrong.append(f"--pool is {pool} and --concurrency {worker.concurrency}: batches of {batches[0]} are applied by")
        wrong[-1] += " the worker's own loop, so they are solo and 1; add replicas instead"
    return wrong


def check_startup(worker: Any, options: dict[str, Any]) -> None:
    """End the process with one sentence a problem, if there are any."""
    if wrong := problems(worker, options):
        raise SystemExit("this worker refuses to start:\n" + "\n".join(f"  {sentence}" for sentence in wrong))
