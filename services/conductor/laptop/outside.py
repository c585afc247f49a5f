"""The outside world on a laptop: payment provider, carrier and mail server as supervised processes."""

import sys
from collections.abc import Mapping, Sequence

from conductor.laptop.programs import Program
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory

NAMES = ("payments", "carrier", "mail")


def programs(run: RunDirectory, state: State, environment: Mapping[str, str]) -> Sequence[Program]:
    """The three servers. What they remember lies in the run's data/outside/, so that a restart forgets nothing."""
    ports = state.ports
    local = ["--host", "127.0.0.1"]
    callback = f"http://127.0.0.1:{ports['api']}/callbacks/carrier"
    delay = state.settings.get("CARRIER_DELIVERY_DELAY_SECONDS", "2")
    arguments = {
        "payments": [*local, "--port", str(ports["payments"])],
        "carrier": [
            *local,
            "--port",
            str(ports["carrier"]),
            "--callback-url",
            callback,
            "--delivery-delay-seconds",
            delay,
        ],
        "mail": [*local, "--smtp-port", str(ports["smtp"]), "--http-port", str(ports["mail"])],
    }
    passwords = state.passwords
    secret = {"CARRIER_SECRET": passwords.carrier_secret, "OUTSIDE_ADMIN_TOKEN": passwords.outside_admin}
    made = []
    for name in NAMES:
        data = run.data / "outside" / name
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv = [sys.executable, "-m", f"outside.{name}", *arguments[name], "--data", str(data)]
        made.append(Program(f"outside-{name}", "outside", argv, {**environment, **secret}))
    return made


def health_url(state: State, name: str) -> str:
    """Where one of NAMES says that it is well."""
    return f"http://127.0.0.1:{state.ports[name]}/health"
