"""What the receiver of a drill's alerts takes from what Alertmanager sends it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from conductor.harness.alert_plays import receiving

CRASHING = {"alertname": "WorkersCrashLooping", "capstone": "orders", "severity": "page"}
PAYMENTS, BEAT = {**CRASHING, "pool": "payments"}, {**CRASHING, "pool": "beat"}
BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
EARLIER = BEGAN - timedelta(hours=1)


def alert(labels: Mapping[str, str], status: str) -> dict[str, Any]:
    """One of a webhook's message, as Alertmanager writes it."""
    return {"labels": labels, "status": status, "startsAt": BEGAN.isoformat(timespec="milliseconds")}


@pytest.mark.parametrize("order", [1, -1])
def test_one_alert_of_a_group_fires_though_another_one_is_over(order: int) -> None:
    told = [alert(PAYMENTS, "resolved"), alert(BEAT, "firing")]
    with receiving() as receiver:
        assert not receiver.fires("WorkersCrashLooping", "orders", "page")
        httpx.post(receiver.url, json={"alerts": told[::order]}).raise_for_status()

        assert receiver.fires("WorkersCrashLooping", "orders", "page")
        assert not receiver.fires("WorkersCrashLooping", "trading", "page")
        assert not receiver.fires("WorkersCrashLooping", "orders", "ticket")
        httpx.post(receiver.url, json={"alerts": [alert(BEAT, "resolved")]}).raise_for_status()
        assert not receiver.fires("WorkersCrashLooping", "orders", "page")
        assert {"WorkersCrashLooping"} == receiver.fired(EARLIER)


def test_the_watchdog_has_no_capstone_and_is_no_alert_that_was_raised() -> None:
    with receiving() as receiver:
        told = alert({"alertname": "Watchdog", "severity": "watchdog"}, "firing")
        httpx.post(receiver.url, json={"alerts": [told]}).raise_for_status()

        assert receiver.fires("Watchdog", "", "watchdog")
        assert set() == receiver.fired(EARLIER)


def test_an_alert_that_fired_before_is_not_one_that_was_raised_since() -> None:
    with receiving() as receiver:
        httpx.post(receiver.url, json={"alerts": [alert(BEAT, "firing")]}).raise_for_status()

        assert receiver.fires("WorkersCrashLooping", "orders", "page")
        assert set() == receiver.fired(BEGAN + timedelta(seconds=1))
        assert {"WorkersCrashLooping"} == receiver.fired(BEGAN)
