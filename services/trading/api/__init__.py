"""The REST API for people: orders, books, kill switches, limits."""

from trading.api.factory import make_api

__all__ = ["make_api"]
