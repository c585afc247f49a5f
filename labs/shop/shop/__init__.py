"""A shop on plain Celery, as its documentation leads to: one task a step, and a canvas that joins them."""
