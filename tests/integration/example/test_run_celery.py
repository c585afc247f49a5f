"""What the library chart brings for a Celery application that knows nothing of it: run as in a pod, with a real broker."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from servers import Valkey, free_port, wait_until

CHARTS = Path(__file__).parents[3] / "charts"
APPLICATION = CHARTS / "example" / "image"

SLOW = """
import os, time
from celery import Celery
app = Celery("slow", broker=os.environ["BROKER_URL"])
app.conf.beat_schedule = {"nap": {"task": "slow.nap", "schedule": 0.2}}
app.conf.task_default_queue = "words"
@app.task(name="slow.nap")
def nap(): time.sleep(60)
@app.on_after_configure.connect
def _(sender, **_):
    if os.environ.get("HANGS"):
        sender.send_task = lambda *a, **k: time.sleep(60)
        sender.tasks["slow.nap"].apply_async = lambda *a, **k: time.sleep(60)
"""


@dataclass
class Pod:
    """A process as the chart starts it."""

    process: "subprocess.Popen[bytes]"
    port: int

    def says(self, path: str) -> int:
        """The status of a probe; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    @property
    def live(self) -> int:
        return self.says("/health/live")

    @property
    def ready(self) -> int:
        return self.says("/health/ready")


Run = Callable[..., Pod]


@pytest.fixture
def run(redis_url: str, tmp_path: Path) -> Iterator[Run]:
    """Starts `run_celery.py --app APP WORDS…` in a folder; all are ended."""
    started: list[Pod] = []

    def start(app: str, *words: str, folder: Path = APPLICATION, **environment: str) -> Pod:
        port = free_port()
        told = {"BROKER_URL": redis_url, "HOST": "127.0.0.1", "METRICS_PORT": str(port), "LOOP_PATIENCE_SECONDS": "2"}
        line = [sys.executable, str(CHARTS / "celery-app" / "run_celery.py"), "--app", app, *words]
        process = subprocess.Popen(line, cwd=folder, env={**os.environ, **told, **environment})
        started.append(Pod(process, port))
        return started[-1]

    yield start
    for pod in started:
        pod.process.kill()
        pod.process.wait()


def worker(run: Run, app: str = "wordcount.app", pool: str = "prefork", **options: object) -> Pod:
    line = ("worker", "--queues", "words", "--concurrency", "1", "--pool", pool, "--without-gossip", "--without-mingle")
    pod = run(app, *line, "--prefetch-multiplier", "1", "--disable-prefetch", **options)
    wait_until(lambda: pod.ready == 200, what="a worker that consumes", seconds=30)
    return pod


@pytest.fixture
def send(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Sends one text of three words."""
    from celery import Celery

    app = Celery("client", broker=redis_url)
    yield lambda number: app.send_task("wordcount.tasks.count", (number, "to be counted"), queue="words")
    app.close()


def test_a_worker_that_is_stopped_finishes_its_task_and_gives_back_the_others(
    run: Run, send: Callable[[int], None], redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    first = worker(run)
    for number in range(12):
        send(number)
    wait_until(lambda: client.hlen("counted") > 0, what="a counted text")

    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(timeout=20) == 0
    assert client.hlen("counted") < 12, "it was meant to be stopped in the middle"
    worker(run)
    wait_until(lambda: client.hlen("counted") == 12, what="all texts", seconds=20)

    assert client.hvals("counted") == [b"3"] * 12


def test_a_broker_that_is_away_makes_a_worker_not_ready_and_never_dead(
    run: Run, send: Callable[[int], None], redis_url: str, valkey: Valkey
) -> None:
    pod = worker(run)
    valkey.stop()
    try:
        wait_until(lambda: pod.ready == 503, what="a worker that is not ready", seconds=20)
        wait_until(lambda: "celery_consuming 0" in metrics(pod), what="the metric")
        assert pod.live == 200
    finally:
        valkey.start()
    wait_until(lambda: pod.ready == 200, what="a worker that is ready again", seconds=40)
    send(1)
    client = redis.Redis.from_url(redis_url)
    wait_until(lambda: client.hlen("counted") == 1, what="a text that is counted afterwards", seconds=20)


def metrics(pod: Pod) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{pod.port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_a_loop_that_stands_still_is_dead(run: Run, tmp_path: Path, redis_url: str) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    pod = worker(run, "slow", "solo", folder=tmp_path)
    from celery import Celery

    with Celery("client", broker=redis_url) as app:
        app.send_task("slow.nap", queue="words")

    wait_until(lambda: pod.live == 503, what="a worker that is dead", seconds=20)


def test_beat_is_alive_while_it_looks_at_its_schedule_in_time(run: Run, tmp_path: Path, redis_url: str) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    schedule = ("beat", "--schedule", str(tmp_path / "schedule"))
    good = run("slow", *schedule, folder=tmp_path)
    client = redis.Redis.from_url(redis_url)
    wait_until(lambda: client.llen("words") > 3, what="ticks of beat", seconds=30)
    assert (good.live, good.ready) == (200, 200)

    hung = run("slow", "beat", "--schedule", str(tmp_path / "another"), folder=tmp_path, HANGS="1")
    wait_until(lambda: hung.live == 503, what="a beat that is dead", seconds=30)
    assert good.live == 200


def test_what_is_no_probe_is_not_found(run: Run) -> None:
    assert worker(run).says("/") == 404
