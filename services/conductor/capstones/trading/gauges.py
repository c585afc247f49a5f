"""What the trading service's database says about now, for Prometheus."""

from conductor.capstone import Gauge
from conductor.chassis_gauges import PARKED, SERVER

EARLY = Gauge(
    "trading_early_batches",
    "Batches of a shard's journal that wait for one before them",
    ("shard",),
    "SELECT shard, count(*) FROM early_batches GROUP BY shard",
)

GAUGES = (EARLY, PARKED, *SERVER)
