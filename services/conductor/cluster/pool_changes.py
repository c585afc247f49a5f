"""What the pods of one pool are told beside what its release says, for a while. helm knows nothing of it."""

import contextlib
from collections.abc import Iterator, Mapping

from conductor.cluster.kubectl import Kubectl

ROLLED_SECONDS = 300


@contextlib.contextmanager
def settings(kubectl: Kubectl, workload: str, variables: Mapping[str, str]) -> Iterator[None]:
    """The pods of `KIND/NAME` have these environment variables in the block. They are replaced before it and after it."""

    def told(*changes: str) -> None:
        kubectl("set", "env", workload, *changes)
        kubectl.await_rolled_out(workload, within_seconds=ROLLED_SECONDS)

    try:
        told(*(f"{name}={value}" for name, value in variables.items()))
        yield
    finally:
        told(*(f"{name}-" for name in variables))
