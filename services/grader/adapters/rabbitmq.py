"""A RabbitMQ for one grading, where one is installed: on free ports of loopback, as `guest` on the vhost `/`, gone with the grading."""

from pathlib import Path

import amqp

from conductor.amqp_client import Connection
from conductor.laptop.ports import OF_RABBITMQ, reserved
from conductor.laptop.servers import rabbitmq
from conductor.laptop.state import Login, State
from conductor.rabbitmq_passwords import hashed
from conductor.run_directory import RunDirectory
from grader.adapters import guarded
from grader.errors import Unable

INSIDE_PORT = 5672
"""The port by which learner code knows it."""

FIRST_PORTS = {"rabbitmq": 15700, "epmd": 14400, "erlang": 25700}
START_SECONDS = 90.0
GUEST = "guest"
"""User and password that RabbitMQ's documentation and every client assume."""


def absent() -> tuple[str, ...]:
    """The servers that a lab may ask for and that this machine has not; Valkey comes as a wheel."""
    return () if rabbitmq.installed() else ("rabbitmq",)


class RabbitMQ:
    """The node; it answers when this was made. Raises Unable where RabbitMQ is not installed."""

    inside_port = INSIDE_PORT
    version = ""

    def __init__(self, directory: Path) -> None:
        if not rabbitmq.installed():
            raise Unable("RabbitMQ is not installed on this machine")
        run = RunDirectory(directory)
        run.make()
        state = State.fresh("rabbitmq").model_copy(update={"logins": {GUEST: Login(rabbitmq=GUEST, place=0)}})
        with reserved(OF_RABBITMQ, {}, FIRST_PORTS) as ports:
            state = state.model_copy(update={"ports": ports})
            self.port = ports["rabbitmq"]
            node = _Node(run, state, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, GUEST)
            node.prepare()
            self._programs = [
                guarded.start(
                    program.argv,
                    directory=program.directory,
                    environment=program.environment,
                    output=directory / f"{program.name}.log",
                )
                for program in node.programs()
            ]
            guarded.await_answer(
                "RabbitMQ", self._programs, self._answers, within_seconds=START_SECONDS, every_seconds=0.1
            )

    def url(self) -> str:
        """How the grader reaches it."""
        return f"amqp://{GUEST}:{GUEST}@127.0.0.1:{self.port}//"

    def end(self) -> None:
        """Stop it; nothing of it stays."""
        for program in reversed(self._programs):
            program.end()

    def _answers(self) -> bool:
        try:
            host = f"127.0.0.1:{self.port}"
            with Connection(host=host, userid=GUEST, password=GUEST, connect_timeout=2) as connection:
                self.version = str(connection.server_properties["version"])
                return True
        except (OSError, amqp.AMQPError):
            return False


class _Node(rabbitmq.RabbitMQ):
    """One whose only user and vhost are those of a node as it comes."""

    def definitions(self) -> dict[str, list[dict[str, str]]]:
        every = {"configure": ".*", "write": ".*", "read": ".*"}
        return {
            "users": [{"name": GUEST, "password_hash": hashed(GUEST), "tags": ""}],
            "vhosts": [{"name": "/"}],
            "permissions": [{"user": GUEST, "vhost": "/", **every}],
        }
