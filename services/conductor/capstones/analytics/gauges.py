"""What the analytics' database says about now, for Prometheus."""

from conductor.chassis_gauges import PARKED, SERVER

GAUGES = (PARKED, *SERVER)
