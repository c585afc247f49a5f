"""One task a step. Each gets the order's id and reads the rest."""

from uuid import uuid4

from shop import orders, outside
from shop.app import app


@app.task
def reserve_stock(order_id):
    """Hold the goods."""
    orders.reserve(order_id)
    orders.set_state(order_id, "processing")


@app.task
def take_payment(order_id):
    """Charge the card; the charge's id."""
    return outside.charge(f"payment-{uuid4()}", order_id, orders.read(order_id)["amount"])


@app.task
def buy_label(order_id):
    """Book the parcel; its tracking number."""
    return outside.book_parcel(f"parcel-{order_id}", order_id, orders.read(order_id)["address"])


@app.task
def ship(order_id):
    """The goods leave the house."""
    orders.set_state(order_id, "shipped")
