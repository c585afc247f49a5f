"""Sends what was accepted and not sent yet."""

from shop.flow import order_flow
from shop.orders import OUTBOX, store


def run_once():
    """Send it; how much there was. What is sent twice, because a relay died, is done once: every step has a key."""
    count = 0
    while order_id := store.lindex(OUTBOX, 0):
        order_flow(order_id).apply_async()
        store.lrem(OUTBOX, 1, order_id)
        count += 1
    return count
