"""What the analytics' database says about now, for Prometheus."""

from conductor.chassis_gauges import ARCHIVE, PARKED, TRANSACTIONS

GAUGES = (PARKED, TRANSACTIONS, ARCHIVE)
