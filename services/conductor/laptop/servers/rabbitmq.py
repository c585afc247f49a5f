"""RabbitMQ as installed on this machine, as a node of our own: name, ports, cookie, data and port mapper (epmd) under .run/.

It runs beside a system one and shares nothing with it. The distribution's wrapper is not used: as root it does `su`, and
killing that leaves the Erlang VM alive. The VM itself is the supervised process, and so is epmd, in the foreground; a VM
that finds no epmd would otherwise start one that outlives it.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import amqp

from conductor.amqp_client import Connection
from conductor.errors import StartFailed, Unready
from conductor.laptop.programs import Program
from conductor.laptop.state import Login, State, write_private
from conductor.rabbitmq_passwords import hashed
from conductor.run_directory import RunDirectory

PACKAGED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Where Debian and Red Hat put the real script; the one on the PATH is the wrapper."""

CONFIGURATION = """\
listeners.tcp.local = 127.0.0.1:{port}
load_definitions = definitions.json
log.console = true
log.console.level = warning
log.file = false
"""

METRICS = """\
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {port}
"""

NO_MEMORY = "vm_memory_monitor:set_vm_memory_high_watermark(0.0), rabbit_alarm:get_alarms()."
CONFIGURED_MEMORY = """\
{ok, Share} = application:get_env(rabbit, vm_memory_high_watermark), vm_memory_monitor:set_vm_memory_high_watermark(Share)."""
"""What `rabbitmqctl set_vm_memory_high_watermark` sets is not kept with the configuration, which this sets again."""

LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"

DEFINITIONS = "definitions.json"


def definitions(logins: Mapping[str, Login]) -> dict[str, list[dict[str, str]]]:
    """Users, vhosts and permissions, as RabbitMQ imports them: each capstone's user may do everything in its own vhost and nothing else."""
    return {
        "users": [{"name": name, "password_hash": hashed(own.rabbitmq), "tags": ""} for name, own in logins.items()],
        "vhosts": [{"name": name} for name in logins],
        "permissions": [
            {"user": name, "vhost": name, "configure": ".*", "write": ".*", "read": ".*"} for name in logins
        ],
    }


def script(name: str) -> Path | None:
    """A script of the installed RabbitMQ, or None when there is none, or no Erlang."""
    if shutil.which("erl") is None or shutil.which("epmd") is None:
        return None
    if PACKAGED.exists():
        return PACKAGED.with_name(name)
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def installed() -> bool:
    """Whether a node of our own can be started here."""
    return script("rabbitmq-server") is not None


def node_environment(name: str, data: Path, *, erlang_port: int, epmd_port: int) -> dict[str, str]:
    """What a node of our own is told, which runs in its data folder: its scripts split paths at spaces, so files are named from there."""
    return {
        "HOME": str(data),
        "RABBITMQ_NODENAME": f"{name}@localhost",
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": "rabbitmq.conf",
        "RABBITMQ_ADVANCED_CONFIG_FILE": "advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": "enabled_plugins",
        "RABBITMQ_MNESIA_BASE": "mnesia",
        "RABBITMQ_LOG_BASE": "log",
        "RABBITMQ_GENERATED_CONFIG_DIR": "generated",
        "RABBITMQ_DIST_PORT": str(erlang_port),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": LOOPBACK_ONLY,
        "RABBITMQ_CTL_ERL_ARGS": LOOPBACK_ONLY,
        # Makes the script exec the VM instead of waiting for it as a parent.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


class RabbitMQ:
    """The one of a run directory, as one capstone sees it: user and vhost have the capstone's name."""

    name = "rabbitmq"

    def __init__(self, run: RunDirectory, state: State, environment: dict[str, str], capstone: str) -> None:
        self._state = state
        self._capstone = capstone
        self._data = run.data / "rabbitmq"
        own = node_environment(
            f"capstone-{state.run_id}", self._data, erlang_port=state.ports["erlang"], epmd_port=state.ports["epmd"]
        )
        self._environment = {**environment, **own}

    def prepare(self) -> None:
        self._data.mkdir(mode=0o700, exist_ok=True)
        write_private(self._data / ".erlang.cookie", self._state.passwords.erlang_cookie)
        (self._data / ".erlang.cookie").chmod(0o400)
        shows = self._state.observe
        write_private(self._data / "enabled_plugins", "[rabbitmq_prometheus].\n" if shows else "[].\n")
        self._define()
        metrics = METRICS.format(port=self._state.ports["rabbitmq-metrics"]) if shows else ""
        configuration = CONFIGURATION.format(port=self._state.ports[self.name]) + metrics
        write_private(self._data / "rabbitmq.conf", configuration)

    def _define(self) -> None:
        write_private(self._data / DEFINITIONS, json.dumps(self.definitions(), indent=2))

    def definitions(self) -> dict[str, list[dict[str, str]]]:
        """The users, vhosts and permissions that the node is to have."""
        return definitions(self._state.logins)

    def vhosts(self) -> list[str]:
        """The virtual hosts of the definitions: one of each capstone that ever ran here."""
        return [one["name"] for one in self.definitions()["vhosts"]]

    def make_vhosts(self) -> None:
        """Make what `prepare` would at the next start, on the node that runs: users and vhosts of capstones that came later."""
        self._define()
        if self._control("import_definitions", DEFINITIONS) is None:
            raise StartFailed(f"rabbitmq: no user and vhost were made of {self._data / DEFINITIONS}")

    def programs(self) -> Sequence[Program]:
        server = script("rabbitmq-server")
        if server is None:
            raise StartFailed("rabbitmq-server is not installed: install it, set BROKER_URL, or use --broker valkey")
        epmd = ["epmd", "-address", "127.0.0.1", "-port", str(self._state.ports["epmd"])]
        return [
            Program("epmd", "server", epmd, self._environment, directory=self._data),
            # `rabbitmqctl shutdown` ends it with 0, which is no reason to start it again.
            Program(
                self.name,
                "server",
                [str(server)],
                self._environment,
                directory=self._data,
                stop_seconds=60,
                restart="unexpected",
            ),
        ]

    def answers(self) -> bool:
        try:
            with Connection(
                host=f"127.0.0.1:{self._state.ports[self.name]}",
                userid=self._capstone,
                password=self._state.logins[self._capstone].rabbitmq,
                virtual_host=self._capstone,
                connect_timeout=2,
            ):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def shutdown(self, *, within_seconds: float = 60) -> bool:
        """Stop the node in order and wait for its VM to end; False when it could not be told."""
        told = self._control("shutdown", "--timeout", str(int(within_seconds)), within_seconds=within_seconds + 10)
        return told is not None

    def alarm(self) -> None:
        """Have the node find that it uses more memory than it may: publishers are blocked. Raises Unready when it cannot be told."""
        if "memory" not in (self._control("eval", NO_MEMORY) or ""):
            raise Unready("rabbitmq could not be given a memory alarm")

    def end_alarm(self) -> None:
        """Let the node use as much memory as it is configured to. Raises Unready when it cannot be told."""
        if self._control("eval", CONFIGURED_MEMORY) is None:
            raise Unready("rabbitmq keeps its memory alarm: it could not be told to end it")

    def _control(self, *arguments: str, within_seconds: float = 60) -> str | None:
        """What `rabbitmqctl` says; None when it could not do it."""
        control = script("rabbitmqctl")
        if control is None:
            return None
        try:
            done = subprocess.run(
                [str(control), "--quiet", *arguments],
                cwd=self._data,
                env=dict(self._environment),
                capture_output=True,
                text=True,
                timeout=within_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return None if done.returncode else done.stdout

    def address(self) -> str:
        name, password = self._capstone, self._state.logins[self._capstone].rabbitmq
        return f"amqp://{name}:{password}@127.0.0.1:{self._state.ports[self.name]}/{name}"

    def wipe(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self.prepare()
