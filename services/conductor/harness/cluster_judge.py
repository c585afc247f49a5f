"""The judge of a drill inside the cluster (conductor.judge): a Job that is started, asked over `kubectl exec`, and taken away.

Every question may be asked again: a broken `kubectl exec` costs another one, never an answer.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from conductor.capstone import Capstone, Patience, Size
from conductor.cluster import jobs, pool_values
from conductor.cluster.jobs import Program
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ClusterFailed, DrillFailed
from conductor.harness import questions
from conductor.harness.questions import Question
from conductor.waiting import until

RPC = "/app/conductor/harness/judge_rpc.py"
STARTED_SECONDS = 90.0

CPU = "200m"
"""Of a judge. With less, on nodes where everything starts at once, it looks too seldom to say that no queue was without a consumer."""

TRIES = 3

PER_SECOND = 30.0
"""Requests a second. As many as are answered would fill every core that new pods need to start, and drill the starved machine."""


def program(capstone: Capstone, runtime: KubernetesRuntime, size: Size, patience: Patience) -> Program:
    """The program of a judge for a drill of this size."""
    own = runtime.own
    argv = ["python", "-m", "conductor.judge", "--capstone", capstone.name, "--api", own.api]
    argv += ["--requests", str(size.requests), "--per-second", f"{size.per_second or PER_SECOND}"]
    argv += ["--steady"] if size.steady else []
    argv += [f"--address={name}=tcp://{service}:{port}" for name, (service, port) in pool_values.ports(own).items()]
    argv += ["--seed", str(size.seed), "--seconds", f"{patience.total_seconds:.0f}"]
    argv += ["--quiet-seconds", f"{patience.quiet_seconds:.0f}"]
    keys = {
        # To look at the queues; no other login may ask a queue itself.
        "BROKER_URL": (own.secret, "BROKER_URL"),
        **{one.variable: (own.secret, one.variable) for one in capstone.stores},
        "OUTSIDE_ADMIN_TOKEN": ("outside-admin", "OUTSIDE_ADMIN_TOKEN"),
    }
    # The last requests may be given as long again; see WorkloadRun.
    within, image = 2 * int(patience.total_seconds) + 120, runtime.image("conductor")
    return Program("judge", argv, image, secret=own.conductor_secret, within_seconds=within, keys=keys, cpu=CPU)


class ClusterJudge:
    """One judge; `pod` is the name of the pod that it runs in, which keeps the history of the drill."""

    def __init__(self, runtime: KubernetesRuntime) -> None:
        self._runtime = runtime
        self._job = self.pod = ""

    @contextlib.contextmanager
    def running(self, wanted: Program) -> Iterator[None]:
        """It answers during the block, and is gone after it. Raises ClusterFailed when it does not begin to."""
        kubectl = self._runtime.kubectl
        self._job = jobs.start(kubectl, wanted)
        try:
            if not until(self._is_there, within_seconds=STARTED_SECONDS, every_seconds=0.5):
                raise ClusterFailed(f"{self._job} did not answer within {STARTED_SECONDS:.0f} s")
            yield
        finally:
            with contextlib.suppress(ClusterFailed):
                kubectl("delete", self._job, "--wait=false")

    def _is_there(self) -> bool:
        try:
            pods = jobs.pods_of(self._runtime.kubectl, self._job)
            if not pods or pods[0]["status"].get("phase") != "Running":
                return False
            self.pod = pods[0]["metadata"]["name"]
            self._once(questions.Clock())
        except ClusterFailed:
            return False
        return True

    def ask(self, question: Question) -> Mapping[str, Any]:
        """Its answer. Raises DrillFailed when it could not give one, ClusterFailed when it cannot be reached."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(ClusterFailed):
                return self._once(question)
        return self._once(question)

    def _once(self, question: Question) -> Mapping[str, Any]:
        asked = json.dumps(questions.as_json(question))
        answer: Mapping[str, Any] = json.loads(
            self._runtime.kubectl("exec", self.pod, "--", "python", "-S", RPC, asked)
        )
        if "failed" in answer:
            raise DrillFailed(str(answer["failed"]))
        return answer
