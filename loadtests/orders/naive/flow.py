"""One order's canvas, and the process that sends it: `python -m loadtests.orders.naive.flow` reads order ids, one a line.

It says `ready` once everything is imported, and sends each canvas as it reads its id.
"""

import sys
from typing import Any

from celery import chain, chord

from loadtests.orders.naive.app import buy_label, hand_over, reserve_stock, send_mail, set_status, take_payment


def order_flow(order_id: str) -> Any:
    """From a new order to a shipped one; the confirmation goes out while the label is drawn."""
    return chain(
        reserve_stock.si(order_id),
        set_status.si(order_id, "processing"),
        take_payment.si(order_id),
        set_status.si(order_id, "paid"),
        chord([send_mail.si(order_id, "confirmation"), buy_label.si(order_id)], hand_over.si(order_id)),
        set_status.si(order_id, "shipped"),
        send_mail.si(order_id, "shipped"),
    )


def main() -> None:
    """Send a canvas for every id on stdin."""
    print("ready", flush=True)
    for line in sys.stdin:
        order_flow(line.strip()).delay()


if __name__ == "__main__":
    main()
