"""The box made of pods. A worker is a release of charts/lab; any other program runs by `kubectl exec` in one more pod of that chart.

The learner's files come as a ConfigMap, so that a grading builds no image and asks no registry. They call `localhost`, as on a laptop:
`port_map` leads that to the door (door.py), and network policies let nothing else out. Brokers and ledgers are those of the grader.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conductor.cluster.kubectl import run, tool
from conductor.errors import ClusterFailed
from conductor.run_directory import CHECKOUT
from grader.adapters.box import MIB, PORT_MAP, Job, Running
from grader.adapters.kubernetes.door import Door
from grader.adapters.kubernetes.namespace import CALL_SECONDS, Namespace, config_map
from grader.adapters.kubernetes.running import Program, Worker, pending
from grader.errors import Unable

CHART = CHECKOUT / "charts" / "lab"
WORKSPACE = "/lab/workspace"
MOST_BYTES = 700_000
"""Of the learner's files: a ConfigMap takes 1 MiB, and holds them in base64."""

HANDS, HANDS_SECONDS = "hands", 120

FIRST = """
import json, os, shutil, signal, subprocess, sys
os.chdir("/lab/workspace")
for key, path in json.load(open("/lab/answer/paths")).items():
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    shutil.copyfile("/lab/answer/" + key, path)
open("/tmp/copied", "w").close()
program = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: program.send_signal(signal.SIGTERM))
status = program.wait()
while os.path.exists("/tmp/gone"):
    signal.pause()
sys.exit(128 - status if status < 0 else status)
"""
"""The first process of a pod: puts the learner's files where their code may write, and runs the program as a child. It writes /tmp/copied
once they are there. The kernel lets nobody inside kill a first process, and Kubernetes asks before it does. Once the grader has written
/tmp/gone nothing is started again."""

VERSIONS = "import celery, json, platform; print(json.dumps({'python': platform.python_version(), 'celery': celery.__version__}))"


class KubernetesBox:
    """One grading's: its namespace is there when it was made, and goes with `end`. Raises Unable."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._namespace = Namespace(tag)
        self._door: Door | None = None
        self._hands = ""
        self._workers = 0
        self._versions: dict[str, str] = {}
        self.confined = self._namespace.keeps_in
        self.why_not = "" if self.confined else "this cluster does not enforce network policies"

    def __str__(self) -> str:
        return f"pods of the namespace {self._namespace.kubectl.namespace}"

    def run(self, job: Job) -> Running:
        """Start it: a worker becomes a Deployment, whatever else a process in a pod beside them."""
        try:
            self._begin(job)
            argv = [
                "python" if word == sys.executable else word.replace(str(job.workspace), WORKSPACE) for word in job.argv
            ]
            if argv[1:3] == ["-m", "celery"] and "worker" in argv:
                return self._worker(job, argv)
            return Program(self._namespace.kubectl, self._hands, argv, self._environment(job), WORKSPACE, job.output)
        except ClusterFailed as error:
            raise Unable(str(error)) from error

    def versions(self) -> dict[str, str]:
        """Those of the pods; none before the first program was started."""
        return self._versions

    def check(self) -> None:
        """Raise Unable when what a check saw may be the cluster's fault."""
        if self._door is not None:
            self._door.check()
        try:
            waiting = pending(self._namespace.kubectl)
        except ClusterFailed as error:
            raise Unable(str(error)) from error
        if waiting:
            raise Unable("; ".join(waiting))

    def end(self) -> None:
        """Take everything away."""
        if self._door is not None:
            self._door.end()
        self._namespace.end()

    def _begin(self, job: Job) -> None:
        """Before the first program: the learner's files, the tunnel, and the pod for short programs."""
        if self._hands:
            return
        kubectl = self._namespace.kubectl
        kubectl.apply(
            config_map("answer", _files(job.workspace)),
            config_map("ports", {path.name: path.read_bytes() for path in PORT_MAP.glob("*.py")}),
        )
        through = [tool("kubectl"), "--namespace", kubectl.namespace, "exec", "--stdin", self._namespace.door, "--"]
        self._door = self._door or Door(through, job.ports, job.output.with_name("door.txt"))
        idle = ["python", "-I", "-S", "-c", FIRST, "sleep", "infinity"]
        copied: dict[str, Any] = {"exec": {"command": ["test", "-e", "/tmp/copied"]}}
        # Their code may remove what it finds in /tmp, and the pod must not be started anew for that.
        alive: dict[str, Any] = {"exec": {"command": ["true"]}}
        probes = {"probes": {"startup": copied, "readiness": copied, "liveness": alive}}
        self._install(HANDS, job, {"role": "relay", "command": idle, **probes}, "--wait")
        self._hands = self._namespace.pod(f"app.kubernetes.io/instance={HANDS}")
        self._versions = json.loads(kubectl("exec", self._hands, "--", "python", "-c", VERSIONS))

    def _worker(self, job: Job, argv: list[str]) -> Worker:
        self._workers += 1
        release = f"worker-{self._workers}"
        # The chart's own start of Celery answers the probes of Kubernetes beside it.
        command = ["python", "-I", "-S", "-c", FIRST, "python", "/etc/celery-app/run_celery.py", *argv[3:]]
        self._install(release, job, {"command": command})
        return Worker(self._namespace.kubectl, release, job.output)

    def _install(self, release: str, job: Job, pool: Mapping[str, Any], *arguments: str) -> None:
        environment = [{"name": name, "value": value} for name, value in self._environment(job).items()]
        limits = {"limits": {"memory": f"{job.limits.memory_bytes // MIB}Mi"}}
        code = {**pool, "extraEnv": environment, "resources": limits}
        values = {"image": {"tag": self._tag}, "pools": {"code": code}}
        where = ("--namespace", self._namespace.kubectl.namespace, "--values", "-", *arguments)
        argv = ["helm", "upgrade", "--install", release, str(CHART), *where, "--timeout", f"{HANDS_SECONDS}s"]
        run(argv, given=json.dumps({"celery-app": values}), within_seconds=HANDS_SECONDS + CALL_SECONDS)

    def _environment(self, job: Job) -> dict[str, str]:
        own = {name: value for name, value in job.environment.items() if name not in ("PATH", "HOME", "TMPDIR")}
        pairs = ",".join(f"{port}:{port}" for port in job.ports)
        return {
            **own,
            "PYTHONPATH": "/lab/ports",
            "CAPSTONE_LAB_PORTS": pairs,
            "CAPSTONE_LAB_HOST": self._namespace.address,
        }


def _files(workspace: Path) -> dict[str, bytes]:
    """The learner's files as a ConfigMap holds them, whose keys are no paths; `paths` leads from each key to its path.

    Raises Unable when they are too much for one.
    """
    files = sorted(path for path in workspace.rglob("*") if path.is_file())
    if sum(path.stat().st_size for path in files) > MOST_BYTES:
        raise Unable(f"the workspace holds more than the {MOST_BYTES // 1000} kB that a ConfigMap takes to a cluster")
    paths = {f"file-{number}": str(path.relative_to(workspace)) for number, path in enumerate(files)}
    return {
        "paths": json.dumps(paths).encode(),
        **{key: (workspace / path).read_bytes() for key, path in paths.items()},
    }
