"""A Valkey for one grading: on a free port of loopback, in memory alone, gone with the grading."""

import contextlib
import json
import signal
from dataclasses import dataclass
from pathlib import Path

import redis

from conductor.laptop.ports import reserved
from conductor.laptop.servers.valkey import binary
from grader.adapters import guarded

INSIDE_PORT = 6379
"""The port by which learner code knows it."""

FIRST_PORT = 16379
START_SECONDS = 30.0

UNACKED = "unacked"
"""The hash in which Celery's workers keep what they took and have not acknowledged."""

REFUSED = (
    *("acl", "bgrewriteaof", "bgsave", "cluster", "config|set", "config|rewrite", "debug", "failover", "migrate"),
    *("module", "psync", "replicaof", "save", "shutdown", "slaveof", "sync"),
)
"""Commands by which learner code, which reaches this server, would reach other addresses, files, or the server itself."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that no worker has taken."""

    queue: str
    task: str
    id: str


class Valkey:
    """The server; it answers when this was made."""

    inside_port = INSIDE_PORT

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        with reserved(["valkey"], {}, {"valkey": FIRST_PORT}) as ports:
            self.port = ports["valkey"]
            options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
            options += ["--dir", str(directory), "--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
            options += ["--user", "default", "on", "nopass", "~*", "&*", "+@all", *(f"-{one}" for one in REFUSED)]
            self._process = guarded.start(
                [str(binary()), *options], directory=directory, environment={}, output=directory / "valkey.log"
            )
            guarded.await_answer(
                "valkey", [self._process], self._answers, within_seconds=START_SECONDS, every_seconds=0.01
            )

    def url(self, database: int = 0) -> str:
        """How the grader reaches it."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> "redis.Redis":
        """A client of one of its databases; answers are text."""
        return redis.Redis(host="127.0.0.1", port=self.port, db=database, decode_responses=True, socket_timeout=10)

    def waiting(self) -> list[Waiting]:
        """The tasks that wait in queues of database 0."""
        found = []
        with self.client() as client:
            for key in sorted(client.scan_iter(_type="list")):
                found += [one for text in client.lrange(key, 0, -1) if (one := _message(key, text)) is not None]
        return found

    def idle(self) -> bool:
        """Whether nothing waits, and no worker has a message that it has not acknowledged."""
        with self.client() as client:
            return not client.hlen(UNACKED) and not self.waiting()

    def purge(self) -> None:
        """Take away every task that waits in a queue of database 0."""
        with self.client() as client:
            for queue in {one.queue for one in self.waiting()}:
                client.delete(queue)

    def stand_still(self) -> None:
        """Let it answer nobody, with all its connections open, until it goes on."""
        self._process.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._process.signal(signal.SIGCONT)

    def end(self) -> None:
        """Stop it; nothing of it stays."""
        self._process.end()

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client() as client:
            client.ping()
            return True
        return False


def _message(queue: str, text: str) -> Waiting | None:
    """What an entry of a list says when it is a message of Celery's."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        headers = json.loads(text)["headers"]
        return Waiting(queue, str(headers["task"]), str(headers["id"]))
    return None
