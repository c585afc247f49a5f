"""What the pods of one capstone's installation say, by kubectl: as far as their nodes still have it, and of pods that are there.

Who looks for names asks the store that an overlay brings, which also has what pods said that are gone.
"""

from collections.abc import Iterable, Iterator, Sequence

from conductor.cluster import log_store
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


def lines_for(runtime: KubernetesRuntime, names: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Lines with their pod, all those that one of these names stands in among them."""
    kept = log_store.naming(runtime.kubectl, names)
    return _every_line(runtime) if kept is None else kept


def _every_line(runtime: KubernetesRuntime) -> Iterator[tuple[str, str]]:
    options = ["--tail=-1", "--prefix", "--ignore-errors", f"--max-log-requests={PODS}"]
    for line in runtime.kubectl("logs", "--selector", _selector(runtime), *options).splitlines():
        pod, _, told = line.removeprefix("[pod/").partition("] ")
        yield pod.partition("/")[0], told


def _selector(runtime: KubernetesRuntime) -> str:
    return f"app.kubernetes.io/instance={runtime.own.release}"
