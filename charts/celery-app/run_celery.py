"""Runs Celery's own command line, and answers Kubernetes' probes beside it: `python run_celery.py --app NAME worker|beat …`.

For an application that knows nothing of the chart. It needs Celery 5 and the standard library. The pod gets this file from a ConfigMap
that the chart makes.

GET /health/live   200 while the worker's loop turns, or while it waits for its broker; beat: while it looks at its schedule in time.
GET /health/ready  200 while the worker consumes; beat: while it is alive.
GET /metrics       `celery_consuming` (0 or 1) and `celery_loop_age_seconds`, for Prometheus.
Any answer that is not 200 is 503, with the reason as text.

HOST and METRICS_PORT say where; LOOP_PATIENCE_SECONDS says how old the last turn of the loop may be.
"""

import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from celery import bootsteps, signals
from celery.__main__ import main

PATIENCE_SECONDS = float(os.environ.get("LOOP_PATIENCE_SECONDS", "60"))


class Loop:
    """What the process last said of itself; times are of the monotonic clock."""

    role = ""
    consuming = False
    seen = 0.0
    due_seconds = 0.0
    """How long beat meant to sleep when it was last seen."""

    def turned(self, sleeps: float = 0.0) -> None:
        """The loop is alive now, and may be silent for `sleeps` seconds."""
        self.seen, self.due_seconds = time.monotonic(), sleeps

    def fault(self, ready: bool) -> str:
        """Why the process is not alive, or not ready; empty when it is."""
        if self.role == "worker" and not self.consuming:
            # It starts, or waits for its broker: a restart would bring it no nearer.
            return "does not consume: it starts, or its broker is away" if ready else ""
        if not self.role:
            return "is starting" if ready else ""
        late = self.age() - self.due_seconds
        return f"its loop has not turned for {self.age():.0f} s" if late > PATIENCE_SECONDS else ""

    def age(self) -> float:
        """Seconds since the loop turned."""
        return time.monotonic() - self.seen if self.seen else 0.0


LOOP = Loop()


class Probe(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts with the consumer and ends with it; in between the loop itself says each second that it turns."""

    requires = ("celery.worker.consumer:Tasks",)

    def start(self, parent: Any) -> None:
        LOOP.turned()
        LOOP.consuming = True
        self.timer = parent.timer.call_repeatedly(1.0, LOOP.turned)

    def stop(self, parent: Any) -> None:
        LOOP.consuming = False
        if getattr(self, "timer", None) is not None:
            self.timer.cancel()
            self.timer = None

    shutdown = stop


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def worker_begins(sender: Any, **_: Any) -> None:
    """Before the worker builds its consumer."""
    LOOP.role = "worker"
    sender.app.steps["consumer"].add(Probe)
    answer_probes()


@signals.beat_init.connect  # type: ignore[untyped-decorator]
def beat_begins(sender: Any, **_: Any) -> None:
    """Before beat's first look at its schedule."""
    LOOP.role = "beat"
    LOOP.turned()
    tick = sender.scheduler.tick

    def seen(*arguments: Any, **options: Any) -> Any:
        sleeps = tick(*arguments, **options)
        LOOP.turned(max(0.0, sleeps or 0.0))
        return sleeps

    sender.scheduler.tick = seen
    answer_probes()


class Answers(BaseHTTPRequestHandler):
    """One request a connection."""

    timeout = 5.0

    def do_GET(self) -> None:
        """Live, ready or metrics."""
        if self.path == "/metrics":
            self._answer(200, f"celery_consuming {int(LOOP.consuming)}\ncelery_loop_age_seconds {LOOP.age():.3f}\n")
        elif self.path in ("/health/live", "/health/ready"):
            fault = LOOP.fault(ready=self.path == "/health/ready")
            self._answer(503 if fault else 200, f"{fault or 'ok'}\n")
        else:
            self._answer(404, "only /health/live, /health/ready and /metrics\n")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Probes are no news."""


def answer_probes() -> None:
    """From now on, in a thread; children that are forked have none."""
    host = os.environ.get("HOST", "0.0.0.0")

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    server = Server((host, int(os.environ.get("METRICS_PORT", "9100"))), Answers)
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()


if __name__ == "__main__":
    # As `celery` does from the command line: the application lies where the container starts.
    sys.path.insert(0, os.getcwd())
    sys.exit(main())
