"""Servers that only one capstone has: programs that stand for other companies, and stores beside the shared one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from conductor.errors import Refused


@dataclass(frozen=True, slots=True)
class OutsideProgram:
    """A program that stands for another company's server: `python -m outside.<name>`. In a cluster a Service has its name and `port`.

    On a laptop it has `laptop_ports`, by name the ones to try first, of which the one with the program's name answers HTTP; `arguments`
    gives its command line for the ports that it got and the settings of the platform. `secret` is the environment variable with a secret
    that it shares with the capstone, `shows` the page where a person sees what it did. `takes_faults` says whether calls to it
    can be made to fail by rates (`/admin/faults`).
    """

    name: str
    port: int
    laptop_ports: Mapping[str, int]
    arguments: Callable[[Mapping[str, int], Mapping[str, str]], Sequence[str]]
    secret: str | None = None
    shows: str = "ledger"
    takes_faults: bool = True


CLUSTER_NODES = 3
"""How many servers a store has that is a cluster: the fewest of which one may be away while the others agree that it is."""


@dataclass(frozen=True, slots=True)
class OwnStore:
    """A Redis or Valkey of the capstone's own, for what must not be lost: every write is on disk before it is answered, nothing is evicted.

    `variable` is the environment variable with its URL; `Reach.addresses` has it by its `name`. On a laptop `laptop_port` is tried first.
    Where the setting `shards` is more than 1, it is a cluster, and its URL is those of all nodes with commas between. Each shard after the
    first then has a pool like `pool` for itself, `<pool>-1` and so on, whose queues end in `_1`.
    """

    name: str
    variable: str
    laptop_port: int
    shards: str = ""
    pool: str = ""

    def shard_count(self, settings: Mapping[str, str]) -> int:
        """How many shards it has under these settings. Raises Refused for what is no number."""
        told = settings.get(self.shards, "1")
        if not told.isdecimal() or not int(told):
            raise Refused(f'{self.shards}="{told}" is no number of shards')
        return int(told)

    def nodes(self, settings: Mapping[str, str]) -> tuple[str, ...]:
        """The names of its servers under these settings: its own, and those of a cluster's other nodes."""
        alone = self.shard_count(settings) == 1
        return (self.name,) if alone else (self.name, *(f"{self.name}_{node}" for node in range(2, CLUSTER_NODES + 1)))

    def ports(self, settings: Mapping[str, str]) -> dict[str, int]:
        """The ports of its servers by name, each with the one to try first; those by which nodes speak to each other are named `…_bus`."""
        nodes = self.nodes(settings)
        of_clients = {name: self.laptop_port + index for index, name in enumerate(nodes)}
        buses = {f"{name}_bus": self.laptop_port + 10_000 + index for index, name in enumerate(nodes)}
        return of_clients | (buses if len(nodes) > 1 else {})
