"""The API of the analytics without what counts and traces requests: `python -m chassis.serve loadtests.analytics.unwatched`."""

from typing import Any

from analytics import app
from loadtests.analytics.here import without_observed

SETTINGS = app.SETTINGS


def make_api() -> Any:
    """The HTTP API, an ASGI application."""
    api = app.make_api()
    without_observed(api)
    return api
