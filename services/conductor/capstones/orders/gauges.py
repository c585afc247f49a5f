"""What the orders' database says about now, for Prometheus: counts and ages that belong to no process."""

from conductor.capstone import Gauge

GAUGES = (
    Gauge("orders", "Orders by state", ("state",), "SELECT state, count(*) FROM orders GROUP BY state"),
    Gauge(
        "oldest_open_seconds",
        "Age of the oldest order that is not final, by state",
        ("state",),
        "SELECT state, extract(epoch FROM now() - min(created_at)) FROM orders"
        " WHERE state NOT IN ('delivered', 'cancelled', 'failed') GROUP BY state",
    ),
    Gauge(
        "needing_attention",
        "Orders that a person should look at",
        (),
        "SELECT count(*) FROM orders WHERE needs_attention IS NOT NULL AND state NOT IN ('delivered', 'cancelled', 'failed')",
    ),
    Gauge(
        "commands_due",
        "Commands that should have begun by now",
        ("queue",),
        "SELECT queue, count(*) FROM outbox WHERE state = 'open' AND due_at <= now() GROUP BY queue",
    ),
    Gauge(
        "commands_wait_seconds",
        "How long the oldest open command has waited",
        ("queue",),
        "SELECT queue, extract(epoch FROM now() - min(created_at)) FROM outbox WHERE state = 'open' GROUP BY queue",
    ),
    Gauge(
        "oldest_transaction_seconds",
        "Age of the oldest open transaction: until it ends, no dead row of any table can be removed",
        (),
        "SELECT coalesce(extract(epoch FROM now() - min(began)), 0) FROM ("
        " SELECT xact_start FROM pg_stat_activity WHERE backend_xmin IS NOT NULL OR backend_xid IS NOT NULL"
        " UNION ALL SELECT prepared FROM pg_prepared_xacts) open (began)",
    ),
    Gauge(
        "parked",
        "What waits for a person's decision, by the reason it was parked for",
        ("queue", "reason"),
        "SELECT queue, reason, count(*) FROM parked WHERE status = 'parked' GROUP BY queue, reason",
    ),
)
