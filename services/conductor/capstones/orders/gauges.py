"""What the orders' database says about now, for Prometheus: counts and ages that belong to no process."""

from conductor.capstone import Gauge
from conductor.chassis_gauges import OUTBOX, PARKED, SERVER

GAUGES = (
    Gauge("orders_orders", "Orders by state", ("state",), "SELECT state, count(*) FROM orders GROUP BY state"),
    Gauge(
        "orders_oldest_open_seconds",
        "Age of the oldest order that is not final, by state",
        ("state",),
        "SELECT state, extract(epoch FROM now() - min(created_at)) FROM orders"
        " WHERE state NOT IN ('delivered', 'cancelled', 'failed') GROUP BY state",
    ),
    Gauge(
        "orders_undecided_late",
        "Orders accepted 30 s to an hour ago that are neither paid nor refused",
        (),
        "SELECT count(*) FROM orders WHERE state IN ('pending', 'processing')"
        " AND created_at BETWEEN now() - interval '1 hour' AND now() - interval '30 s'",
    ),
    Gauge(
        "orders_needing_attention",
        "Orders that a person should look at",
        (),
        "SELECT count(*) FROM orders WHERE needs_attention IS NOT NULL AND state NOT IN ('delivered', 'cancelled', 'failed')",
    ),
    *OUTBOX,
    PARKED,
    *SERVER,
)
