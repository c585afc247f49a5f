"""What the pods of one capstone's installation say, by kubectl: as far as their nodes still have it, and of pods that are there."""

from collections.abc import Iterator

from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import Refused

PODS = 50
"""The most that are read at a time."""


def show(runtime: KubernetesRuntime, pool: str | None, *, lines: int, follow: bool) -> None:
    """To this terminal, each line with its pod in front. Refused when there is no such pool."""
    selector = _selector(runtime)
    if pool is not None:
        if pool not in runtime.pools():
            raise Refused(f'there is no pool "{pool}"; there are {", ".join(runtime.pools())}')
        selector += f",app.kubernetes.io/component={pool}"
    options = [f"--tail={lines}", "--prefix", f"--max-log-requests={PODS}", *(["--follow"] if follow else [])]
    runtime.kubectl("logs", "--selector", selector, *options, shown=True)


def every_line(runtime: KubernetesRuntime) -> Iterator[tuple[str, str]]:
    """Each line with its pod."""
    options = ["--tail=-1", "--prefix", "--ignore-errors", f"--max-log-requests={PODS}"]
    for line in runtime.kubectl("logs", "--selector", _selector(runtime), *options).splitlines():
        pod, _, told = line.removeprefix("[pod/").partition("] ")
        yield pod.partition("/")[0], told


def _selector(runtime: KubernetesRuntime) -> str:
    return f"app.kubernetes.io/instance={runtime.own.release}"
