"""A cluster of Valkey servers on this machine: what each is configured with. conductor.redis_cluster makes empty servers one.

A dead node costs only its own slots (`cluster-require-full-coverage no`); by default every node would refuse every key.
"""

from collections.abc import Sequence

from conductor.errors import StoreUnreachable
from conductor.laptop.servers.valkey import Store
from conductor.laptop.state import State
from conductor.redis_cluster import Node, form, is_ok, strangers
from conductor.run_directory import RunDirectory

CONFIGURATION = """\
cluster-enabled yes
cluster-config-file nodes.conf
cluster-port {bus}
cluster-announce-ip 127.0.0.1
cluster-node-timeout {timeout_ms}
cluster-require-full-coverage no
cluster-replica-validity-factor 0
primaryauth {password}
"""
"""Besides that of a single server. A replica takes over however old its data are: a store that stays away would not bring them back."""

NODE_TIMEOUT_MS = 5000
"""A node that has not answered for so long is taken for dead."""


class ClusterNode(Store):
    """One node of a store that is a cluster. The first makes the cluster once all answer."""

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        run: RunDirectory,
        state: State,
        environment: dict[str, str],
        password: str,
    ) -> None:
        """`names` are those of all nodes."""
        super().__init__(name, run, state, environment, password)
        self._first = name == names[0]
        self._members = [
            Node(f"redis://:{password}@127.0.0.1:{state.ports[one]}/0", state.ports[one], state.ports[f"{one}_bus"])
            for one in names
        ]
        self._own = self._members[names.index(name)]

    def _text(self) -> str:
        cluster = CONFIGURATION.format(bus=self._own.bus, timeout_ms=NODE_TIMEOUT_MS, password=self._password)
        return super()._text() + cluster

    def answers(self) -> bool:
        try:
            if self._first and strangers(self._members):
                form(self._members, len(self._members))
            return is_ok(self._own)
        except (StoreUnreachable, TimeoutError):
            return False
