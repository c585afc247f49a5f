"""A wrong answer: what is parked stays parked, because its deaths are remembered by the order."""

import json

from shop import labels
from shop.app import app
from shop.orders import store

MOST_DEATHS = 3
PARKED = "parked"


@app.task(bind=True)
def draw_label(self, order_id):
    """Draw the label of an order. It is counted before the work: whoever dies in it counts nothing afterwards."""
    begun = f"begun:{order_id}"
    if store.incr(begun) > MOST_DEATHS:
        reason = f"the process died {MOST_DEATHS} times while it drew this label"
        store.hset(PARKED, order_id, json.dumps({"task": self.name, "reason": reason}))
        return
    labels.draw(order_id)
    store.delete(begun)


def replay(order_id):
    """Have the label of an order drawn that was parked."""
    draw_label.delay(order_id)
    store.hdel(PARKED, order_id)
