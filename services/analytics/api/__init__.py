"""The analytics' HTTP doors: events in, counters out. `make_api` is all that others need."""

from analytics.api.factory import make_api

__all__ = ["make_api"]
