"""The rival: a task for each event, which sends one task for each thing that is counted. Four tasks an event.

What it follows of https://docs.celeryq.dev/en/stable/: first-steps-with-celery (Redis as broker and result backend), userguide/tasks (small
tasks with plain arguments, none waits for another), userguide/calling ("Compression": gzip). Everything else is Celery's default.
Two variants, by the environment:

- naive: Redis is broker and result backend, results are kept, messages are gzip-compressed JSON.
- lean: RabbitMQ is the broker, there are no results and no compression. It is what the documentation's "Optimizing" page leads to.

It counts what ours counts, under the same names, in Redis hashes; the two counters of a content share one round trip. It guards
against nothing: a message that is delivered twice is counted twice.
"""

import os

import redis
from celery import Celery
from celery.signals import worker_ready

app = Celery("naive", broker=os.environ["NAIVE_BROKER_URL"], backend=os.environ.get("NAIVE_RESULTS_URL"))
app.conf.task_ignore_result = "NAIVE_RESULTS_URL" not in os.environ
app.conf.task_compression = os.environ.get("NAIVE_COMPRESSION")
# Opens nothing before its first use, which is in a child process.
counters = redis.Redis.from_url(os.environ["NAIVE_COUNTERS_URL"])


@worker_ready.connect
def say_ready(**_: object) -> None:
    """Tell the bench; at Celery's default level of logging the worker says nothing itself, and so logs nothing a task."""
    print("ready", flush=True)


@app.task
def receive(event: dict[str, object]) -> None:
    """Have everything counted that an event adds to."""
    kind, minute = event["kind"], int(str(event["at_ms"])) // 60_000
    count_content.delay(kind, minute, event["content"])
    count_user.delay(minute // 60, event["user"])
    count_total.delay(kind, minute)


@app.task
def count_content(kind: str, minute: int, content: str) -> None:
    """By content, of the minute and of all time."""
    with counters.pipeline(transaction=False) as pipeline:
        pipeline.hincrby(f"c:{kind}:{minute}", content)
        pipeline.hincrby(f"ct:{kind}", content)
        pipeline.execute()


@app.task
def count_user(hour: int, user: str) -> None:
    """By user and hour."""
    counters.hincrby(f"u:{hour}", user)


@app.task
def count_total(kind: str, minute: int) -> None:
    """By kind and minute."""
    counters.hincrby(f"t:{kind}:{minute // 60}", str(minute))
