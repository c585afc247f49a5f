"""Labels, and what becomes of those that cannot be drawn."""

from shop import labels
from shop.app import app


@app.task
def draw_label(order_id):
    """Draw the label of an order."""
    labels.draw(order_id)


def replay(order_id):
    """Have the label of an order drawn that was parked."""
