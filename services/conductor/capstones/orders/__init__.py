"""The orders capstone as the conductor drives and judges it."""

NAME = "orders"
