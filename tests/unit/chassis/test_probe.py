"""The probe's verdicts, by state and time; and that it reads the file as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chassis import heartbeat, probe
from chassis.heartbeat import PATIENCE_SECONDS, STALE_SECONDS, START_SECONDS, Heartbeat

NOW = 10_000.0


def record(
    state: str, *, since: float = 0, ticked: float = 0, deadline: float | None = None, blocking: bool = False
) -> Any:
    """A heartbeat whose times are given as seconds ago (`deadline`: seconds from now)."""
    return {
        "role": "worker",
        "pid": os.getpid(),
        "state": state,
        "detail": "",
        "since": NOW - since,
        "ticked": NOW - ticked,
        "deadline": None if deadline is None else NOW + deadline,
        "blocking": blocking,
        "stale_seconds": START_SECONDS if state == "starting" else STALE_SECONDS,
        "patience_seconds": PATIENCE_SECONDS,
    }


# (record, live, ready)
VERDICTS = {
    "idle": (record("idle"), True, True),
    "idle for a day": (record("idle", since=86_400), True, True),
    "idle with a loop that is slow": (record("idle", ticked=29), True, True),
    "idle with a loop that stands": (record("idle", ticked=31), False, False),
    "busy": (record("busy", deadline=30), True, True),
    "busy within its limit, loop blocked by the task": (
        record("busy", ticked=300, deadline=1, blocking=True),
        True,
        True,
    ),
    "busy within its limit, loop stands although children work": (
        record("busy", ticked=31, deadline=100),
        False,
        False,
    ),
    "busy past its limit": (record("busy", deadline=-1), False, False),
    "busy past its limit, loop blocked": (record("busy", ticked=300, deadline=-1, blocking=True), False, False),
    "blocking pool that is idle and stands": (record("idle", ticked=31, blocking=True), False, False),
    "consumer lost just now": (record("cancelled", since=19), True, False),
    "consumer lost and not come back": (record("cancelled", since=21), False, False),
    "broker away for a moment": (record("unreachable", since=1), True, False),
    "broker away for a day": (record("unreachable", since=86_400), True, False),
    "broker away and loop stands": (record("unreachable", ticked=31), False, False),
    "broker away with a task past its limit": (record("unreachable", deadline=-1), False, False),
    "starting": (record("starting", ticked=100), True, False),
    "starting for too long": (record("starting", ticked=121), False, False),
    "draining with a task": (record("draining", since=100, deadline=5), True, False),
    "draining past the limit": (record("draining", since=100, deadline=-1), False, False),
    "paused on purpose": (record("paused", since=86_400), True, False),
    "waiting for a store": (record("stalled", since=86_400), True, False),
    "what it owns does not serve": (record("degraded", since=19), True, False),
    "what it owns does not come back": (record("degraded", since=21), False, False),
    "serving without its broker": (record("serving", since=86_400), True, True),
    "standing by": (record("standby", since=86_400), True, True),
    "standing by and its loop stands": (record("standby", ticked=31), False, False),
}


@pytest.mark.parametrize(("told", "live", "ready"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_is(told: Any, live: bool, ready: bool) -> None:
    assert (probe.verdict(told, NOW, "live")[0], probe.verdict(told, NOW, "ready")[0]) == (live, ready)


def test_the_reason_names_role_state_and_detail() -> None:
    told = {**record("cancelled", since=30), "detail": "shop.till"}

    assert probe.verdict(told, NOW, "live")[1] == (
        "worker is cancelled (shop.till): nothing consumed for 30 s while the broker answers"
    )


@pytest.fixture
def beating(tmp_path: Path) -> Path:
    path = tmp_path / "heartbeat"
    Heartbeat(path, "relay").beat()
    return path


def test_a_fresh_heartbeat_passes(beating: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main(["probe", "ready", str(beating)]) == 0
    assert capsys.readouterr().out == "relay is idle\n"


def test_the_file_may_come_from_the_environment(beating: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTBEAT_FILE", str(beating))

    assert probe.main(["probe", "live"]) == 0


def test_no_heartbeat_is_dead(tmp_path: Path) -> None:
    assert probe.main(["probe", "live", str(tmp_path / "none")]) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"pid": 1}', "\x00"])
def test_a_file_that_is_no_heartbeat_is_dead(tmp_path: Path, text: str) -> None:
    (tmp_path / "heartbeat").write_text(text)

    assert probe.main(["probe", "live", str(tmp_path / "heartbeat")]) == 1


def test_the_heartbeat_of_a_process_that_is_gone_is_dead(beating: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    beating.write_text(json.dumps({**json.loads(beating.read_text()), "pid": gone.pid}))

    assert probe.main(["probe", "live", str(beating)]) == 1
    assert "is gone" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["alive"], ["live", "a", "b"]])
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str]) -> None:
    assert probe.main(["probe", *arguments]) == 2


def test_it_runs_without_site_packages(beating: Path) -> None:
    done = subprocess.run([sys.executable, "-S", "-I", probe.__file__, "live", str(beating)], check=False)

    assert done.returncode == 0


def test_every_state_that_is_written_has_a_verdict() -> None:
    states = {value for name, value in vars(heartbeat).items() if name.isupper() and isinstance(value, str)}

    assert states == {told["state"] for told, _, _ in VERDICTS.values()}
