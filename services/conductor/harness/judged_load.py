"""The load of a drill in a cluster: it is with a judge inside (see cluster_judge), which is asked from here."""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conductor.capstone import Capstone, Patience, Size
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ConductorError
from conductor.harness import cluster_judge, questions
from conductor.harness.cluster_judge import ClusterJudge
from conductor.harness.judge_rpc import HISTORY
from conductor.harness.questions import Question
from conductor.harness.reporter import Reporter


class JudgedLoad:
    """See conductor.harness.session.Session, of which this is what concerns the load."""

    def __init__(
        self, capstone: Capstone, runtime: KubernetesRuntime, size: Size, reporter: Reporter, patience: Patience
    ) -> None:
        self.capstone = capstone
        self.runtime = runtime
        self.size = size
        self.reporter = reporter
        self.status: Mapping[str, Any] = {}
        self._patience = patience
        self._judge = ClusterJudge(runtime)
        self._opened = contextlib.ExitStack()
        """What is open until the session is over."""

    @contextlib.contextmanager
    def judged(self) -> Iterator[None]:
        """A judge is there during the block, and gone after it."""
        program = cluster_judge.program(self.capstone, self.runtime, self.size, self._patience)
        with self._judge.running(program), self._opened:
            yield

    def ask(self, question: Question) -> Mapping[str, Any]:
        """The judge's answer; see ClusterJudge.ask."""
        return self._judge.ask(question)

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        self.ask(questions.Begin())
        try:
            yield
        except BaseException:
            with contextlib.suppress(ConductorError):
                self.ask(questions.Abandon())
            raise
        self.status = self.ask(questions.Finish())
        self.reporter.tell(
            f"{self.status['accepted']} requests accepted, {self.status['accepted_per_second']} a second, "
            f"{self.status['asked_again']} had to be sent again"
            + (f": {self.status['why']}" if self.status["asked_again"] else "")
        )

    def look(self) -> Mapping[str, Any]:
        """How far the requests are by now; see JudgeService.status."""
        self.status = self.ask(questions.Status())
        return self.status

    def await_loaded(self) -> int:
        return int(self.ask(questions.AwaitLoaded())["in_flight"])

    def in_flight(self) -> int | None:
        found = self.ask(questions.InFlight())["in_flight"]
        return None if found is None else int(found)

    def submit(self, name: str) -> str:
        return str(self.ask(questions.Submit(name))["request"])

    def await_progress(self, requests: int | None = None) -> None:
        self.ask(questions.AwaitProgress(requests))

    def accepted(self, last: int) -> list[str]:
        return [str(one) for one in self.ask(questions.Accepted(last))["requests"]]

    @contextlib.contextmanager
    def steered(self, way: str) -> Iterator[None]:
        self.ask(questions.Steer(way))
        try:
            yield
        finally:
            self.ask(questions.Release(way))

    def counted(self) -> Mapping[str, int]:
        return Counter(self.ask(questions.Counts())["counts"])

    def now(self) -> float:
        return float(self.ask(questions.Clock())["at"])

    @contextlib.contextmanager
    def history(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="capstone-") as folder:
            copy = Path(folder) / Path(HISTORY).name
            copy.write_text(self.runtime.kubectl("exec", self._judge.pod, "--", "cat", HISTORY))
            yield copy
