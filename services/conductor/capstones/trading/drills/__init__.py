"""Drills that only the trading service has."""
