"""Two brokers, an application for each, and a measurement of how fast tasks come back."""

BROKER_CONFIGS = {
    "redis": {"url": "", "pros": [], "cons": []},
    "rabbitmq": {"url": "", "pros": [], "cons": []},
}


def create_app_with_broker(broker_type):
    """Return an application on this broker, with a task to measure."""


def test_broker_performance(app, num_tasks=100):
    """Send so many tasks, wait for all their results, and return how long that took."""
