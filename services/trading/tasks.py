"""The doors of what is a task.

| task | queue | does |
|---|---|---|
| trading.begin_day | trading.engine | by the clock: tells the engine which day it is, and with it the daily quantities begin anew |
| trading.follow_sessions | trading.engine | by the clock, with a calendar: opens and closes the symbols by the market's sessions |
| trading.measure_latency | trading.engine | by the clock: keeps percentiles of the engine's latency, and alerts over budget |
| trading.tell_reference_prices | trading.engine | by the clock, if set: tells the engine the last prices of the market's feed |
| trading.write_sessions | trading.upkeep | by the clock, with a calendar: writes the sessions ahead once a day |
| trading.collect_dead_letters | trading.upkeep | by the clock: brings the broker's dead letters into the table of what is parked |
"""

from collections.abc import Callable
from typing import Any

from chassis.app import ChassisApp


def register(app: ChassisApp, clock: dict[str, Callable[[], Any]]) -> None:
    """Give the app its tasks; `clock` has the periodic ones by name."""
    for name, run in clock.items():
        _periodic(app, name, run)


def _periodic(app: ChassisApp, name: str, run: Callable[[], Any]) -> None:
    @app.task(name=name, shared=False)  # type: ignore[untyped-decorator]
    def perform() -> None:
        run()
