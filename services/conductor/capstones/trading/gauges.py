"""What the trading service's database says about now, for Prometheus."""

from conductor.capstone import Gauge

GAUGES = (
    Gauge(
        "parked",
        "What waits for a person's decision, by the reason it was parked for",
        ("queue", "reason"),
        "SELECT queue, reason, count(*) FROM parked WHERE status = 'parked' GROUP BY queue, reason",
    ),
)
