"""A wrong answer: only a shutdown that was asked for has a grace."""

GRACE_SECONDS = 15
