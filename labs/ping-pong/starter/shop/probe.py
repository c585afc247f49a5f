"""What the platform asks of a worker: may it be counted on, and is it beyond help?"""

from shop.app import app

ANSWER_SECONDS = 2


def ready():
    """Whether the worker takes work. As long as it is not, nobody counts on it."""
    return answers()


def alive():
    """Whether the worker is to be left alone. One that is not alive three times in a row is replaced."""
    return answers()


def answers():
    """Whether it answers a ping over the broker."""
    return bool(app.control.inspect(timeout=ANSWER_SECONDS).ping())
