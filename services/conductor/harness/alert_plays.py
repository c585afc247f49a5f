"""Plays faults on a watched laptop platform and measures how long its alerts take: from the fault until the receiver is told that one
fires, and from the end of the fault until it is told that it is over.

Prometheus and Alertmanager are real; their times are divided by one number for as long as the plays go on, and so is what counts as late.
"""

import json
import math
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx

from conductor import http_client
from conductor.capstone import Patience, Size
from conductor.errors import DrillFailed, Refused
from conductor.harness import runbooks
from conductor.history import Journal
from conductor.http_server import HttpServer
from conductor.laptop import observability
from conductor.laptop.runtime import LocalRuntime
from conductor.observability.registry import load
from conductor.waiting import until

PATIENCE_SECONDS = 30.0
"""How much later than its own time an alert may come: scrapes, evaluation, grouping, and a machine that is busy."""

WATCHDOG_SECONDS = 60.0
"""How long it may take until the receiver is told anything at all."""

RESOLVING_SECONDS = 120.0

REQUESTS_PER_SECOND = 3.0


@dataclass
class Receiver:
    """Keeps what Alertmanager sends; `url` is where."""

    url: str = ""
    told: dict[frozenset[tuple[str, str]], tuple[str, datetime]] = field(default_factory=dict)
    """What was told last of each alert, which its labels name: "firing" or "resolved", and since when it fires. A group is sent whole, with
    those that are over."""

    def fires(self, alert: str, capstone: str, severity: str) -> bool:
        """Whether one of this name fires for this capstone with this severity."""
        wanted = {("alertname", alert), ("severity", severity), *([("capstone", capstone)] if capstone else [])}
        return any(status == "firing" and wanted <= labels for labels, (status, _) in self.told.items())

    def fired(self, since: datetime) -> set[str]:
        """The names of alerts that began to fire since then, but for the watchdog. One that fired before is told to a new receiver, too."""
        begun = (dict(labels)["alertname"] for labels, (_, began) in self.told.items() if began >= since)
        return {*begun} - {"Watchdog"}


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that answers for the block."""
    receiver = Receiver()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # Made anew, because others read it meanwhile.
            now = {
                frozenset(one["labels"].items()): (one["status"], datetime.fromisoformat(one["startsAt"]))
                for one in told["alerts"]
            }
            receiver.told = {**receiver.told, **now}
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with HttpServer(("127.0.0.1", 0), Hook) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that a fault must raise: its own time (s), which is divided, and what is not: time until the fault does harm, and until its
    end shows (s)."""

    alert: str
    seconds: float = 0.0
    harmless_seconds: float = 0.0
    resolving_seconds: float = RESOLVING_SECONDS


@dataclass(frozen=True, slots=True)
class Play:
    """A fault: what it is called, the block during which it lasts, and the alerts that it must raise. Its times are divided by
    `most_divided` at most, where something must happen several times within one that takes a while each time."""

    name: str
    fault: Callable[[LocalRuntime], AbstractContextManager[None]]
    expected: tuple[Expected, ...]
    most_divided: float = math.inf


@dataclass(frozen=True, slots=True)
class Measured:
    """How long an alert took to fire after the fault began, and to be over after it ended (s); its own times were divided by `divide`."""

    capstone: str
    play: str
    expected: Expected
    divide: float
    firing_seconds: float
    resolving_seconds: float


@contextmanager
def watched(runtime: LocalRuntime, divide: float) -> Iterator[Receiver]:
    """A receiver of the platform's alerts, whose times are divided during the block. Refused when nobody watches it."""
    if not runtime.platform.state.observe or observability.missing():
        raise Refused(
            f"nobody watches this platform: `make up OBSERVE=1`, with what `{observability.INSTALL}` installs"
        )
    with receiving() as receiver:
        _provision(runtime, divide, receiver.url)
        try:
            if not until(lambda: receiver.fires("Watchdog", "", "watchdog"), within_seconds=WATCHDOG_SECONDS):
                raise DrillFailed("the watchdog was not received: nobody would be told of any alert")
            yield receiver
        finally:
            _provision(runtime, 1, None)


def _provision(runtime: LocalRuntime, divide: float, receiver: str | None) -> None:
    platform = runtime.platform
    observability.provision(platform, divide=divide, receiver=receiver)
    for name in ("alertmanager", "prometheus"):
        url = f"http://127.0.0.1:{platform.state.ports[name]}/metrics"
        if not until(lambda url=url: _loaded(url) > 0, within_seconds=PATIENCE_SECONDS):  # type: ignore[misc]
            raise DrillFailed(f"{name} does not answer")
        told = time.time()
        os.kill(platform.supervisor.process(name).pid, signal.SIGHUP)
        if not until(lambda url=url, told=told: _loaded(url) >= told, within_seconds=PATIENCE_SECONDS):  # type: ignore[misc]
            raise DrillFailed(f"{name} did not take its new configuration within {PATIENCE_SECONDS:g} s")


def _loaded(url: str) -> float:
    """When Prometheus or Alertmanager took its configuration, in unix time; 0 when it did not."""
    try:
        shown = http_client.request("GET", url, timeout=5).raise_for_status().text
    except httpx.HTTPError:
        return 0
    found = re.search(r"^\w+_config_last_reload_success_timestamp_seconds (\S+)", shown, re.MULTILINE)
    return float(found[1]) if found else 0


def measure(runtime: LocalRuntime, receiver: Receiver, play: Play, divide: float) -> list[Measured]:
    """Play one fault, and type what its runbooks say while it lasts. Raises DrillFailed when an alert of it fires before and does not end,
    comes late, or stays, or a runbook does not help."""
    if divide > play.most_divided:
        _provision(runtime, play.most_divided, receiver.url)
        try:
            return measure(runtime, receiver, play, play.most_divided)
        finally:
            _provision(runtime, divide, receiver.url)
    name = runtime.platform.name
    wanted = {one.alert: one for one in play.expected}
    ending = {one.alert: one.resolving_seconds for one in play.expected}
    _await_inactive(runtime, ending)
    _await(receiver, name, play, ending, fires=False, when="before the fault")
    with play.fault(runtime):
        within = {one.alert: one.seconds / divide + one.harmless_seconds + PATIENCE_SECONDS for one in play.expected}
        fired = _await(receiver, name, play, within, fires=True, when="during the fault")
        for alert in wanted:
            runbooks.type_diagnosis(runtime, alert)
    over = _await(receiver, name, play, ending, fires=False, when="after the fault")
    return [Measured(name, play.name, one, divide, fired[alert], over[alert]) for alert, one in wanted.items()]


def _await_inactive(runtime: LocalRuntime, within: Mapping[str, float]) -> None:
    """Wait until the rules as they are now find nothing of these alerts, not even something that does not last yet: then what comes is of
    the fault, and of none before it."""
    since = datetime.now(UTC)
    url = f"http://127.0.0.1:{runtime.platform.state.ports['prometheus']}/api/v1/rules?type=alert"

    def inactive() -> bool:
        try:
            groups = http_client.request("GET", url, timeout=5).raise_for_status().json()["data"]["groups"]
        except httpx.HTTPError:
            return False
        asked = [rule for group in groups for rule in group["rules"] if rule["name"] in within]
        evaluated = all(datetime.fromisoformat(rule["lastEvaluation"]) > since for rule in asked)
        return evaluated and not any(
            one["labels"].get("capstone") == runtime.platform.name
            for rule in asked
            for one in rule["alerts"]
            if one["labels"]["severity"] == _severity(rule["name"])
        )

    if not until(inactive, within_seconds=max(within.values())):
        raise DrillFailed(
            f"{', '.join(within)}: still active, or not told, after {max(within.values()):g} s before the fault"
        )


def _await(
    receiver: Receiver, capstone: str, play: Play, within: Mapping[str, float], *, fires: bool, when: str
) -> dict[str, float]:
    """After how many seconds each alert was told to fire, or to be over."""
    began = time.monotonic()
    seen: dict[str, float] = {}

    def all_seen() -> bool:
        for alert in within.keys() - seen.keys():
            if receiver.fires(alert, capstone, _severity(alert)) is fires:
                seen[alert] = time.monotonic() - began
        late = [alert for alert, seconds in within.items() if alert not in seen and time.monotonic() - began > seconds]
        if late:
            told = "was not received" if fires else "still fires"
            raise DrillFailed(f"{play.name}: {', '.join(late)} {told} after {within[late[0]]:.0f} s, {when}")
        return len(seen) == len(within)

    until(all_seen, within_seconds=max(within.values()) + 1)
    return seen


@cache
def _severity(alert: str) -> str:
    """Of a budget's alerts that of the page: that it was used up is a ticket, which goes on for its window of days."""
    known = load().alerts.get(alert)
    return known.severity if known else "page"


@contextmanager
def requested(runtime: LocalRuntime, folder: Path) -> Iterator[None]:
    """Some requests a second during the block, whose journal is in the folder."""
    folder.mkdir(exist_ok=True)
    size = Size(100_000, per_second=REQUESTS_PER_SECOND, steady=True)
    load = runtime.platform.capstone.workload(runtime, Journal(folder / "requests.jsonl"), size, Patience())
    load.start()
    try:
        yield
    finally:
        load.finish(within_seconds=0.1)


def roll(runtime: LocalRuntime, receiver: Receiver, pools: Sequence[str]) -> None:
    """Replace these pools. Raises DrillFailed when that raises an alert."""
    began = datetime.now(UTC)
    for pool in pools:
        runtime.roll(pool)
    if raised := receiver.fired(began):
        raise DrillFailed(f"rolling {', '.join(pools)} raised {', '.join(sorted(raised))}")


def quiet(receiver: Receiver, seconds: float) -> None:
    """Watch for so long. Raises DrillFailed when an alert fires that nobody caused."""
    began = datetime.now(UTC)
    if until(lambda: bool(receiver.fired(began)), within_seconds=seconds):
        raise DrillFailed(f"nothing was done, and {', '.join(sorted(receiver.fired(began)))} fired")
