"""The trading capstone as the conductor drives and judges it."""

NAME = "trading"

ENGINE = "engine"
"""The pool that owns engine, gateway and journal."""

JOURNAL = f"{ENGINE}.data"
"""The folder of its shard, among a platform's addresses."""
