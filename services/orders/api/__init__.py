"""The orders' HTTP door (FastAPI). Parses, asks one use case, answers; decides nothing. `make_api` is all that others need."""

from orders.api.factory import make_api

__all__ = ["make_api"]
