"""What becomes of an order."""

from celery import chain
from shop import orders
from shop.tasks import buy_label, reserve_stock, ship, take_payment


def place(order_id, amount, address):
    """Keep the order, and send what has to be done; the order's id."""
    orders.create(order_id, amount=amount, address=address)
    order_flow(order_id).apply_async()
    return order_id


def order_flow(order_id):
    """Reserve, charge, label, ship."""
    return chain(reserve_stock.si(order_id), take_payment.si(order_id), buy_label.si(order_id), ship.si(order_id))
