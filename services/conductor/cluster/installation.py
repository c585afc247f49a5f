"""What is to be installed where, as one value. Who renders, applies or removes a part of it imports this, and none of the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conductor.cluster.kubectl import NAMESPACE, Kubectl
from conductor.cluster.secrets import Broker

Tell = Callable[[str], None]

PLATFORM = "app.kubernetes.io/managed-by=kustomize"
PART_OF = "celery-capstones"


@dataclass(frozen=True, slots=True)
class Installation:
    """What is installed where. `extra` are further arguments for helm, such as `--values FILE`, for each capstone that is deployed."""

    namespace: str = NAMESPACE
    overlay: str = "kind"
    tag: str = "dev"
    broker: Broker = "rabbitmq"
    within_seconds: int = 300
    extra: Sequence[str] = ()

    @property
    def kubectl(self) -> Kubectl:
        """The cluster, in this namespace."""
        return Kubectl(self.namespace)
