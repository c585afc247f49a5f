"""What becomes of an order."""

from celery import chain, chord
from shop import orders
from shop.tasks import buy_label, reserve_stock, ship, take_payment, undo


def place(order_id, amount, address):
    """Keep the order, and send what has to be done; the order's id."""
    orders.create(order_id, amount=amount, address=address)
    order_flow(order_id).apply_async()
    return order_id


def order_flow(order_id):
    """Reserve, then charge the card while the label is made, then ship; what fails on the way is undone."""
    undoing = undo.si(order_id)
    shipping = ship.si(order_id).on_error(undoing)
    return chain(
        reserve_stock.si(order_id).on_error(undoing),
        chord([take_payment.si(order_id), buy_label.si(order_id)], shipping),
    )
