"""A wrong answer: it gives up while the provider is still away."""

from shop import orders, outside
from shop.app import app


@app.task
def reserve_stock(order_id):
    """Hold the goods."""
    orders.reserve(order_id)
    orders.set_state(order_id, "processing")


@app.task(bind=True, max_retries=3)
def take_payment(self, order_id):
    """Charge the card; the charge's id. A provider that is away is asked again, three times."""
    try:
        return outside.charge(payment_key(order_id), order_id, orders.read(order_id)["amount"])
    except outside.Away as error:
        raise self.retry(exc=error, countdown=2**self.request.retries)


@app.task
def buy_label(order_id):
    """Book the parcel; its tracking number."""
    return outside.book_parcel(f"parcel-{order_id}", order_id, orders.read(order_id)["address"])


@app.task
def ship(order_id):
    """The goods leave the house."""
    orders.set_state(order_id, "shipped")


def payment_key(order_id):
    """By which the payment provider knows the order's charge."""
    return f"payment-{order_id}"
