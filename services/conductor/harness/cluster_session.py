"""A stage in a cluster: the orders and their verdict are with a judge inside (conductor.judge), the blows are dealt from here.

Every question to the judge may be asked again: a broken `kubectl exec` costs another one, never an answer.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from conductor.capstones.orders.checker import Finding, Repeat, Verdict
from conductor.cluster import jobs
from conductor.cluster.install import API
from conductor.cluster.jobs import Program
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ClusterFailed, ConductorError, DrillFailed
from conductor.harness.reporter import Story
from conductor.harness.session import Patience, Size
from conductor.history import Kill
from conductor.waiting import until

DOOR = "/app/conductor/harness/judge_rpc.py"
STARTED_SECONDS = 90.0
KEYS = {
    "BROKER_URL": ("orders", "BROKER_URL"),
    "OUTSIDE_ADMIN_TOKEN": ("outside-admin", "OUTSIDE_ADMIN_TOKEN"),
}
"""For the judge to look at the queues; no other login may ask a queue itself."""

CPU = "200m"
"""Of a judge. With less, on nodes where everything starts at once, it looks too seldom to say that no queue was alone."""

TRIES = 3

PER_SECOND = 30.0
"""Orders a second. As many as are answered would fill every core that new pods need to start, and drill the starved machine."""


class ClusterStage:
    """What a drill plays on in a cluster; has the methods of conductor.harness.laptop_session.Stage that make sense there."""

    def __init__(self, runtime: KubernetesRuntime, size: Size, story: Story, patience: Patience) -> None:
        self.runtime = runtime
        self.size = size
        self.story = story
        self.status: Mapping[str, Any] = {}
        self._patience = patience
        self._job = self._pod = ""

    @contextlib.contextmanager
    def judged(self) -> Iterator[None]:
        """A judge is there during the block, and gone after it."""
        argv = ["python", "-m", "conductor.judge", "--api", API, "--orders", str(self.size.orders)]
        argv += ["--per-second", f"{self.size.per_second or PER_SECOND}"]
        argv += ["--steady"] if self.size.steady else []
        argv += ["--seed", str(self.size.seed), "--seconds", f"{self._patience.total_seconds:.0f}"]
        argv += ["--quiet-seconds", f"{self._patience.quiet_seconds:.0f}"]
        within = int(self._patience.total_seconds) + 120
        program = Program("judge", argv, self.runtime.image("conductor"), within_seconds=within, keys=KEYS, cpu=CPU)
        kubectl = self.runtime.kubectl
        self._job = jobs.start(kubectl, program)
        try:
            if not until(self._is_there, within_seconds=STARTED_SECONDS, every_seconds=0.5):
                raise ClusterFailed(f"{self._job} did not open its door within {STARTED_SECONDS:.0f} s")
            yield
        finally:
            with contextlib.suppress(ClusterFailed):
                kubectl("delete", self._job, "--wait=false")

    def _is_there(self) -> bool:
        try:
            pods = jobs.pods_of(self.runtime.kubectl, self._job)
            if not pods or pods[0]["status"].get("phase") != "Running":
                return False
            self._pod = pods[0]["metadata"]["name"]
            self._once({"ask": "clock"})
        except ClusterFailed:
            return False
        return True

    def ask(self, name: str, **particulars: object) -> Mapping[str, Any]:
        """The judge's answer. Raises DrillFailed when it could not give one, ClusterFailed when it cannot be reached."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(ClusterFailed):
                return self._once({"ask": name, **particulars})
        return self._once({"ask": name, **particulars})

    def _once(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        said = self.runtime.kubectl("exec", self._pod, "--", "python", "-S", DOOR, json.dumps(question))
        answer: Mapping[str, Any] = json.loads(said)
        if "failed" in answer:
            raise DrillFailed(str(answer["failed"]))
        return answer

    @contextlib.contextmanager
    def orders(self) -> Iterator[None]:
        """Orders keep coming while the block runs, and until enough were accepted; none comes after a block that failed."""
        self.ask("begin")
        try:
            yield
        except BaseException:
            with contextlib.suppress(ConductorError):
                self.ask("abandon")
            raise
        self.status = self.ask("finish")
        self.story.tell(
            f"{self.status['accepted']} orders accepted, {self.status['accepted_per_second']} a second, "
            f"{self.status['asked_again']} requests had to be sent again"
            + (f": {self.status['why']}" if self.status["asked_again"] else "")
        )

    def look(self) -> Mapping[str, Any]:
        """How far the orders are by now; see conductor.judge."""
        self.status = self.ask("status")
        return self.status

    def await_open(self) -> int:
        """Return when as many orders are open as every blow wants; how many there are."""
        return int(self.ask("await_open")["open_orders"])

    def await_progress(self) -> None:
        """Return when orders are worked off again."""
        self.ask("await_progress")

    @contextlib.contextmanager
    def blow(self, pool: str, which: str, open_orders: int | None = None) -> Iterator[None]:
        """Write down that what happens in the block breaks something of the pool."""
        since = self.ask("clock")["at"]
        try:
            yield
        finally:
            self.ask("record", pool=pool, which=which, since=since, open_orders=open_orders)

    def restart_server(self, name: str, *, hard: bool) -> None:
        """Restart a server's pod, or end it without a word; returns when it is ready again."""
        self.story.tell(f"[red]{name} {'crashes' if hard else 'restarts'}[/red]")
        with self.blow(name, "server"):
            self.runtime.restart_server(name, hard=hard)
        self.story.tell(f"{name} answers again")

    def expect(self, holds: bool, what: str) -> None:
        """DrillFailed when what must be is not."""
        if not holds:
            raise DrillFailed(what)

    def expect_no_failed_request(self) -> None:
        """DrillFailed when a client had to ask again: nothing that was done may be seen at the door."""
        again = self.status.get("asked_again", 0)
        self.expect(again == 0, f"{again} requests had to be sent again: {self.status.get('why')}")

    def expect_polite(self) -> None:
        """DrillFailed when a client was left without an answer, or asked in vain: being told when to come again is allowed."""
        told = self.status
        rude = told.get("abrupt", 0) + told.get("gave_up", 0)
        self.expect(
            rude == 0, f"{rude} requests were not told when to come again, or never answered: {told.get('why')}"
        )

    def wait_for(self, holds: Callable[[], bool], what: str, within_seconds: float) -> None:
        """Return when it holds; DrillFailed names what was waited for."""
        self.expect(until(holds, within_seconds=within_seconds, every_seconds=1.0), f"waited in vain for {what}")

    def verdict(self) -> Verdict:
        """The judge's verdict, when every order is final."""
        self.story.phase("waiting until every order is final")
        told = self.ask("verdict")
        self.ask("leave")
        findings = [Finding(**finding) for finding in told["findings"]]
        repeats = [Repeat(**{**repeat, "kill": Kill(**repeat["kill"])}) for repeat in told["repeats"]]
        return Verdict(**{**told, "findings": findings, "repeats": repeats})
