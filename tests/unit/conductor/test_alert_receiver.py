"""What the receiver of a drill's alerts takes from what Alertmanager sends it."""

import httpx
import pytest

from conductor.harness.alert_plays import receiving

CRASHING = {"alertname": "WorkersCrashLooping", "capstone": "orders", "severity": "page"}
PAYMENTS, BEAT = {**CRASHING, "pool": "payments"}, {**CRASHING, "pool": "beat"}


@pytest.mark.parametrize("order", [1, -1])
def test_one_alert_of_a_group_fires_though_another_one_is_over(order: int) -> None:
    told = [{"labels": PAYMENTS, "status": "resolved"}, {"labels": BEAT, "status": "firing"}]
    with receiving() as receiver:
        assert not receiver.fires("WorkersCrashLooping", "orders", "page")
        httpx.post(receiver.url, json={"alerts": told[::order]}).raise_for_status()

        assert receiver.fires("WorkersCrashLooping", "orders", "page")
        assert not receiver.fires("WorkersCrashLooping", "trading", "page")
        assert not receiver.fires("WorkersCrashLooping", "orders", "ticket")
        httpx.post(receiver.url, json={"alerts": [{"labels": BEAT, "status": "resolved"}]}).raise_for_status()
        assert not receiver.fires("WorkersCrashLooping", "orders", "page")
        assert {"WorkersCrashLooping"} == receiver.fired()


def test_the_watchdog_has_no_capstone_and_is_no_alert_that_was_raised() -> None:
    with receiving() as receiver:
        told = {"labels": {"alertname": "Watchdog", "severity": "watchdog"}, "status": "firing"}
        httpx.post(receiver.url, json={"alerts": [told]}).raise_for_status()

        assert receiver.fires("Watchdog", "", "watchdog")
        assert set() == receiver.fired()
