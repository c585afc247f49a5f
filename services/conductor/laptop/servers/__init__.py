"""The servers a platform brings along, each as programs for the supervisor: PostgreSQL, Valkey, RabbitMQ.

A server is prepared (its data made), started by the supervisor, and answers when a client can use it.
"""

from collections.abc import Sequence
from typing import Protocol

from conductor.laptop.programs import Program


class Server(Protocol):
    """One server. Its program's name is `name`; `data_names` are the folders below the run's data/ that it fills."""

    name: str

    def prepare(self) -> None:
        """Make its data and configuration when they are missing; raises StartFailed with what its tool said."""

    def programs(self) -> Sequence[Program]:
        """What to supervise, in the order to start."""

    def answers(self) -> bool:
        """Whether a client with our password is served."""

    def address(self) -> str:
        """Its URL, with the password, as a client takes it."""

    def wipe(self) -> None:
        """Remove its data; it must not be running."""
