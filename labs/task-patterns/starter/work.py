"""What one item costs."""

import time

SECONDS = 0.5


def process_item(item):
    """Return twice the item, after a while."""
    time.sleep(SECONDS)
    return item * 2
