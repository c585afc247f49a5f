"""One task a step, and one that undoes them. Each may be done twice, because each effect has a key."""

from shop import orders, outside
from shop.app import app

RETRIED = {"autoretry_for": (outside.Away,), "retry_backoff": 1, "retry_backoff_max": 4, "max_retries": None}


@app.task
def reserve_stock(order_id):
    """Hold the goods."""
    orders.reserve(order_id)
    orders.set_state(order_id, "processing")


@app.task(**RETRIED)
def take_payment(order_id):
    """Charge the card; the charge's id."""
    return outside.charge(payment_key(order_id), order_id, orders.read(order_id)["amount"])


@app.task(**RETRIED)
def buy_label(order_id):
    """Book the parcel; its tracking number."""
    return outside.book_parcel(f"parcel-{order_id}", order_id, orders.read(order_id)["address"])


@app.task
def ship(order_id):
    """The goods leave the house, unless the order was cancelled before."""
    if orders.decide(order_id, "shipped") == "shipped":
        orders.set_state(order_id, "shipped")


def payment_key(order_id):
    """By which the payment provider knows the order's charge."""
    return f"payment-{order_id}"


@app.task(**RETRIED)
def undo(order_id):
    """Give back what the order got so far, and end it. A charge that was never made is void from then on."""
    if orders.decide(order_id, "cancelled") != "cancelled":
        return
    outside.refund(payment_key(order_id))
    orders.release(order_id)
    orders.set_state(order_id, "cancelled")
