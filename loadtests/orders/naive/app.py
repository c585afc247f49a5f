"""The rival: the orders as Celery's documentation leads to, one task a step, a status write or a mail, and a canvas that joins them.

What it follows, page by page of https://docs.celeryq.dev/en/stable/:
  getting-started/first-steps-with-celery   broker URL, Redis as result backend, `worker --loglevel=INFO`
  userguide/canvas                          `chain`, and a `chord` for what may run side by side; immutable signatures
  userguide/tasks                           no task waits for another; ids as arguments, state read again; `autoretry_for` with back-off
  userguide/configuration                   every default: early acknowledgement, prefetch 4, prefork, results kept, no confirms
SQLAlchemy's own: one pooled engine a process, made after the fork; plain statements without an ORM.
"""

import os

import sqlalchemy as sa
from celery import Celery

from chassis.errors import Transient
from loadtests.orders.naive import effects
from orders.adapters.instant import InstantCarrier, InstantMailer, InstantPayments
from orders.adapters.labels import PdfLabels

app = Celery("naive", broker=os.environ["NAIVE_BROKER_URL"], backend=os.environ["NAIVE_RESULTS_URL"])
# Opens nothing before its first use, which is in a child process.
engine = sa.create_engine(os.environ["NAIVE_DATABASE_URL"])
payments, carrier, mailer, printer = InstantPayments(), InstantCarrier(), InstantMailer(), PdfLabels()

RETRIED = {"autoretry_for": (Transient,), "retry_backoff": True}


@app.task
def reserve_stock(order_id: str) -> None:
    """Hold the goods; raises when there are too few, which ends the chain."""
    with engine.begin() as conn:
        effects.reserve(conn, order_id)


@app.task(**RETRIED)
def take_payment(order_id: str) -> None:
    """Charge the card."""
    with engine.begin() as conn:
        order = effects.read(conn, order_id)
        charge = payments.charge(
            f"{order_id}:payment",
            order_id=order_id,
            amount_minor=order.total_minor,
            currency=order.currency,
            card=order.card,
        )
        effects.note(conn, order_id, "take_payment.done", {"state": "paid", "charge": charge.charge_id})


@app.task(**RETRIED)
def buy_label(order_id: str) -> None:
    """Book the parcel and draw its label."""
    with engine.begin() as conn:
        order = effects.read(conn, order_id)
        weight_g = 250 * sum(line.quantity for line in effects.lines(conn, order_id))
        number = carrier.create_shipment(
            f"{order_id}:shipment", order_id=order_id, address=order.address, weight_g=weight_g
        )
        label = printer.label(order_id=order_id, tracking_number=number, name=order.name, address=order.address)
        effects.keep_label(conn, order_id, number, label)
        effects.note(conn, order_id, "buy_label.done", {"state": "paid", "tracking_number": number})


@app.task(**RETRIED)
def hand_over(order_id: str) -> None:
    """Give the parcel to the carrier, and take the goods off the shelf."""
    with engine.begin() as conn:
        carrier.hand_over(effects.read(conn, order_id).tracking_number)
        effects.ship(conn, order_id)
        effects.note(conn, order_id, "hand_over.done", {"state": "shipped"})


@app.task(**RETRIED)
def send_mail(order_id: str, kind: str) -> None:
    """Send one mail, and remember it."""
    with engine.begin() as conn:
        mail = effects.mail(conn, order_id, kind)
        mailer.send(mail)
        effects.remember_mail(conn, mail)


@app.task
def set_status(order_id: str, status: str) -> None:
    """Write where the order is."""
    with engine.begin() as conn:
        effects.set_status(conn, order_id, status)
