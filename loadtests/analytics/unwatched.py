"""The API of the analytics without what counts and traces requests: `python -m chassis.serve loadtests.analytics.unwatched`."""

from typing import Any

from analytics import app
from chassis.http.metrics import Observed

SETTINGS = app.SETTINGS


def make_api() -> Any:
    """The HTTP API, an ASGI application."""
    api = app.make_api()
    api.user_middleware = [one for one in api.user_middleware if one.cls is not Observed]
    return api
