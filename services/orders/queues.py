"""Which queue does which step: one queue a pool, named `orders.<pool>`."""

from orders.domain.saga import Step

SERVICE = "orders"

SAGA = "orders.saga"
PAYMENTS = "orders.payments"
FULFILMENT = "orders.fulfilment"
NOTIFICATIONS = "orders.notifications"

QUEUES = (SAGA, PAYMENTS, FULFILMENT, NOTIFICATIONS)

_OF_STEP = {
    Step.RESERVE_STOCK: SAGA,
    Step.RELEASE_STOCK: SAGA,
    Step.TAKE_PAYMENT: PAYMENTS,
    Step.ASK_PAYMENT: PAYMENTS,
    Step.REFUND_PAYMENT: PAYMENTS,
    Step.BUY_LABEL: FULFILMENT,
    Step.HAND_OVER: FULFILMENT,
    Step.VOID_LABEL: FULFILMENT,
}

SEND_MAIL = "orders.send_mail"
DRAW_LABEL = "orders.draw_label"

# Commands a message carries at most. A batch shares two commits and one message; it must end well within the task's time limit
# when every call of it times out (8 calls at a time, 3 s each: 24 payments are 9 s).
BATCH = {
    "orders.reserve_stock": 100,
    "orders.release_stock": 100,
    "orders.take_payment": 24,
    "orders.ask_payment": 24,
    "orders.refund_payment": 24,
    "orders.buy_label": 24,
    "orders.hand_over": 24,
    "orders.void_label": 24,
    DRAW_LABEL: 24,
    SEND_MAIL: 20,
}


def task_of(step: Step) -> str:
    """The task that performs a step."""
    return f"{SERVICE}.{step}"


def queue_of(step: Step) -> str:
    """The queue whose pool performs a step."""
    return _OF_STEP[step]
