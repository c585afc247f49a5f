"""What the trading service's database says about now, for Prometheus."""

from conductor.chassis_gauges import PARKED, TRANSACTIONS

GAUGES = (PARKED, TRANSACTIONS)
