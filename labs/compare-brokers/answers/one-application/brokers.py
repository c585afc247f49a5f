"""A wrong answer: whichever application is to be measured, the tasks go to the one that the module made."""

import time

from celery import Celery

BROKER_CONFIGS = {
    "redis": {
        "url": "redis://localhost:6379/0",
        "pros": ["one server for messages and results", "nothing to declare"],
        "cons": ["a message that takes longer than the visibility timeout is delivered again"],
    },
    "rabbitmq": {
        "url": "amqp://guest:guest@localhost:5672//",
        "pros": ["an unacknowledged message comes back as soon as its connection is gone", "routing by the broker"],
        "cons": ["one more server to run", "results need another store"],
    },
}

RESULTS = "redis://localhost:6379/1"


def create_app_with_broker(broker_type):
    """Return an application on this broker, with a task to measure."""
    app = Celery(broker_type, broker=BROKER_CONFIGS[broker_type]["url"], backend=RESULTS)
    app.task(double, name="brokers.double")
    return app


def double(number):
    """Return twice the number."""
    return 2 * number


default = create_app_with_broker("redis")


def test_broker_performance(app, num_tasks=100):
    """Send so many tasks, wait for all their results, and return how long that took."""
    task = default.tasks["brokers.double"]
    started = time.perf_counter()
    results = [task.delay(number) for number in range(num_tasks)]
    for result in results:
        result.get(timeout=15)
    took = time.perf_counter() - started
    return {"tasks": num_tasks, "time": took, "tasks_per_second": num_tasks / took}
