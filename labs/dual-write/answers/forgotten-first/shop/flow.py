"""What becomes of an order."""

from celery import chain, chord
from shop import orders
from shop.tasks import buy_label, reserve_stock, ship, take_payment


def place(order_id, amount, address):
    """Keep the order, and note in the same breath that it has to be sent; the order's id."""
    orders.accept(order_id, amount=amount, address=address)
    return order_id


def order_flow(order_id):
    """Reserve, then charge the card while the label is made, then ship."""
    return chain(
        reserve_stock.si(order_id),
        chord([take_payment.si(order_id), buy_label.si(order_id)], ship.si(order_id)),
    )
