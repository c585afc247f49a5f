"""Three tasks; the factorial is never refused, and the worker's clock is that of one city."""

from celery import Celery

app = Celery("first_app")
app.conf.broker_url = app.conf.result_backend = "redis://localhost:6379/0"
app.conf.timezone = "Europe/Berlin"


@app.task
def add_numbers(x, y):
    return x + y


@app.task
def concatenate_strings(str1, str2):
    return f"{str1} {str2}"


@app.task
def calculate_factorial(n):
    result = 1
    while n > 1:
        result *= n
        n -= 1
    return result
