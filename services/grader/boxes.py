"""Which boxes a command makes: on this machine, or in a cluster."""

from collections.abc import Callable, Sequence
from functools import partial

from conductor.errors import Refused
from grader.adapters import confining
from grader.adapters.box import Box
from grader.domain.lab import Lab

KUBERNETES = "kubernetes"


def chosen(labs: Sequence[Lab], runtime: str, tag: str) -> Callable[[], Box]:
    """What makes the box of one grading, called once for each. Refused when a lab cannot be graded there."""
    for lab in labs:
        if runtime not in lab.runtimes:
            raise Refused(f'--runtime "{runtime}": {lab.slug} can be graded with {" or ".join(lab.runtimes)}')
    if runtime == KUBERNETES:
        # A learner at a laptop does not wait for what only clusters need.
        from grader.adapters.kubernetes.box import KubernetesBox

        return partial(KubernetesBox, tag)
    return confining.best
