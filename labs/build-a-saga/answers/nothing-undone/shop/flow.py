"""What becomes of an order."""

from celery import chain
from shop import orders
from shop.tasks import buy_label, reserve_stock, ship, take_payment, undo


def place(order_id, amount, address):
    """Keep the order, and send what has to be done; the order's id."""
    orders.create(order_id, amount=amount, address=address)
    order_flow(order_id).apply_async()
    return order_id


def order_flow(order_id):
    """Reserve, charge, label, ship; whichever of them fails for good, what was done is undone."""
    steps = [reserve_stock, take_payment, buy_label, ship]
    return chain(step.si(order_id).on_error(undo.si(order_id)) for step in steps)
