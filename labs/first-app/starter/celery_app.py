"""Three functions that want to be tasks."""

from celery import Celery

app = Celery("first_app")


def add_numbers(x, y):
    """Return the sum of two numbers."""
    return x + y


def concatenate_strings(str1, str2):
    """Return both strings with one space between them."""


def calculate_factorial(n):
    """Return the factorial of a whole number from 0 upwards."""
