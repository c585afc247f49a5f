"""How the containers of pods ended that are no more, by watching: a pod that is gone tells nothing."""

import subprocess
import tempfile
from types import TracebackType
from typing import Self

from conductor.cluster.kubectl import Kubectl, tool

NAME, CODE = ".metadata.name", ".status.containerStatuses[0].state.terminated.exitCode"


class PodEnds:
    """While it is open, notes the exit codes of the pods with these labels."""

    def __init__(self, kubectl: Kubectl, selector: str) -> None:
        columns = f"custom-columns=NAME:{NAME},CODE:{CODE}"
        where = ("--namespace", kubectl.namespace, "--selector", selector)
        self._argv = [tool("kubectl"), "get", "pods", *where, "--watch", "--no-headers", "--output", columns]

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile("w+")
        self._watch = subprocess.Popen(self._argv, stdout=self._said, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.terminate()
        self._watch.wait()
        self._said.close()

    def codes(self) -> dict[str, int]:
        """The exit codes so far, by pod."""
        self._said.seek(0)
        lines = [line.split() for line in self._said.read().splitlines()]
        return {name: int(code) for name, code in lines if code != "<none>"}
