"""A Service of the cluster at a port of this machine, for as long as a block runs."""

import contextlib
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence

from conductor.cluster.kubectl import Kubectl, tool
from conductor.errors import ClusterFailed

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
END_SECONDS = 5


def port_named(kubectl: Kubectl, service: str, names: Sequence[str]) -> tuple[str, int] | None:
    """The first of these names that a port of the Service has, and that port; None when there is none, or no such Service."""
    found = kubectl("get", "service", service, "--ignore-not-found", "--output", "json")
    ports = {port.get("name"): int(port["port"]) for port in json.loads(found)["spec"]["ports"]} if found else {}
    return next(((name, ports[name]) for name in names if name in ports), None)


@contextlib.contextmanager
def forwarded(kubectl: Kubectl, service: str, port: int) -> Iterator[str]:
    """`http://127.0.0.1:PORT`, which leads to the Service's port. Raises ClusterFailed when kubectl cannot."""
    argv = [tool("kubectl"), "--namespace", kubectl.namespace, "port-forward", f"service/{service}", f":{port}"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            said = process.stdout.readline() if process.stdout else ""
            told = _FORWARDING.search(said)
            if told is None:
                process.terminate()
                process.wait(END_SECONDS)
                errors.seek(0)
                raise ClusterFailed(f"service {service} cannot be reached: {errors.read().strip() or said.strip()}")
            threading.Thread(target=_read_on, args=(process.stdout,), daemon=True).start()
            yield f"http://127.0.0.1:{told[1]}"
        finally:
            process.terminate()


def _read_on(lines: Iterable[str]) -> None:
    """Take a line a connection until kubectl ends: it forwards nothing any more once a pipe is full, after some 2,000."""
    with contextlib.suppress(ValueError):  # the pipe was closed
        for _ in lines:
            pass
