"""Three tasks, their values kept in the store that is the broker as well."""

import math

from celery import Celery

STORE = "redis://localhost:6379/0"

app = Celery("first_app", broker=STORE, backend=STORE)
app.conf.timezone = "UTC"


@app.task
def add_numbers(x, y):
    """Return the sum of two numbers."""
    return x + y


@app.task
def concatenate_strings(str1, str2):
    """Return both strings with one space between them."""
    return f"{str1} {str2}"


@app.task
def calculate_factorial(n):
    """Return the factorial of a whole number from 0 upwards."""
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"a factorial needs a whole number from 0 upwards, not {n!r}")
    return math.factorial(n)
