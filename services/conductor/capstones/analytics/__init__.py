"""The analytics capstone as the conductor drives and judges it."""

NAME = "analytics"

COUNTERS = "counters"
"""The store of the counters: its process, and its name among a platform's addresses."""
