"""Payment provider, carrier and mail server of a grading, as processes of their own: real effects and ledgers, faults by order of a check.

What learner code may call is open; ledger and faults need a token that only the grader knows, so that no answer can bend the evidence.
"""

import contextlib
import json
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conductor.laptop.ports import reserved
from grader import measuring
from grader.adapters import guarded
from grader.errors import Unable

INSIDE_PORTS = {"payments": 8081, "carrier": 8082, "mail": 2525}
"""The ports by which learner code knows them; that of mail speaks SMTP."""

FIRST_PORT = 18081
START_SECONDS = 30.0
CALL_SECONDS = 10.0

# Nobody listens there: labs hand no parcel over, and only that makes news.
CARRIER_OPTIONS = ["--callback-url", "http://127.0.0.1:9/"]


class Outside:
    """One of them; it answers when this was made."""

    def __init__(self, name: str, directory: Path) -> None:
        self.inside_port = INSIDE_PORTS[name]
        self._token = secrets.token_hex(16)
        data = directory / name
        data.mkdir(parents=True)
        environment = {
            "OUTSIDE_ADMIN_TOKEN": self._token,
            "CARRIER_SECRET": secrets.token_hex(16),
            "PATH": "/usr/bin:/bin",
        }
        names = {name: FIRST_PORT, f"{name}-http": FIRST_PORT}
        with reserved(list(names), {}, names) as ports:
            self.port = ports[name]
            # Ledger and faults of the mail server have a port of their own, and learner code none that leads there.
            self._http_port = ports[f"{name}-http"] if name == "mail" else self.port
            argv = [sys.executable, "-m", f"outside.{name}", "--data", str(data)]
            if name == "mail":
                argv += ["--smtp-port", str(self.port), "--http-port", str(self._http_port)]
            else:
                argv += ["--port", str(self.port), *(CARRIER_OPTIONS if name == "carrier" else [])]
            self._process = guarded.start(
                argv, directory=data, environment=environment, output=directory / f"{name}.log"
            )
            guarded.await_answer(name, [self._process], self._answers, within_seconds=START_SECONDS, every_seconds=0.05)

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        """All that it did of one kind, oldest first: `capture` and `refund` of payments, `shipment` of the carrier, `mail` of mail."""
        entries: list[dict[str, Any]] = self._call("GET", "/ledger")
        return [entry for entry in entries if entry["kind"] == kind]

    def faults(self, rate: Mapping[str, float], **plan: Any) -> None:
        """Let calls go wrong from now on: fault -> its share of the calls, 0 to 1."""
        self._call("PUT", "/admin/faults", {"rate": dict(rate), **plan})

    def hits(self) -> int:
        """How many calls went wrong since the faults were asked for."""
        return sum(self._call("GET", "/admin/faults")["hits"].values())

    def sound(self) -> None:
        """End all faults."""
        self._call("DELETE", "/admin/faults")
        self._call("DELETE", "/admin/outage")

    def outage(self, seconds: float) -> None:
        """Answer 503 to every call for so long."""
        self._call("POST", "/admin/outage", {"seconds": seconds})

    def end(self) -> None:
        """Stop it; nothing of it stays."""
        self._process.end()

    def _answers(self) -> bool:
        with contextlib.suppress(Unable):
            return bool(self._call("GET", "/health")["status"] == "ok")
        return False

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._http_port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError) as error:
            if isinstance(error, TimeoutError):
                measuring.tell()
            raise Unable(f"{method} {path} of {request.host}: {error}") from error
