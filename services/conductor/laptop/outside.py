"""The outside programs that a capstone needs, as supervised processes of a laptop."""

import sys
from collections.abc import Mapping, Sequence

from conductor.capstone import Capstone
from conductor.laptop.programs import Program
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory


def programs(capstone: Capstone, run: RunDirectory, state: State, environment: Mapping[str, str]) -> Sequence[Program]:
    """The programs. What they remember lies in the run's data/outside/, so that a restart forgets nothing."""
    made = []
    for one in capstone.outside:
        data = run.data / "outside" / one.name
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv = [
            sys.executable,
            "-m",
            f"outside.{one.name}",
            *one.arguments(state.ports_of(capstone.name), state.settings),
        ]
        secret = {one.secret: state.passwords.callbacks} if one.secret else {}
        variables = {**environment, **secret, "OUTSIDE_ADMIN_TOKEN": state.passwords.outside_admin}
        made.append(Program(process(one.name), "outside", [*argv, "--data", str(data)], variables))
    return made


def shared_secrets(capstone: Capstone, state: State) -> dict[str, str]:
    """By environment variable, what outside programs and the capstone both know."""
    return {one.secret: state.passwords.callbacks for one in capstone.outside if one.secret}


def process(name: str) -> str:
    """What the process of an outside program is called."""
    return f"outside-{name}"


def processes(capstone: Capstone) -> set[str]:
    """What the processes of its outside programs are called."""
    return {process(one.name) for one in capstone.outside}


def ports(capstone: Capstone) -> dict[str, int]:
    """The ports that its outside programs try first, by name."""
    return {name: port for one in capstone.outside for name, port in one.laptop_ports.items()}


def addresses(capstone: Capstone, state: State) -> dict[str, str]:
    """Where each of them answers HTTP."""
    return {one.name: f"http://127.0.0.1:{state.ports[one.name]}" for one in capstone.outside}
