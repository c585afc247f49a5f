"""The command line: what it costs, and how it says that something went wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from conductor import access, cli

HEAVY = ("amqp", "httpx", "kombu", "prometheus_client", "psutil", "psycopg", "pydantic", "redis", "yaml")
CAPSTONE = Path(sys.executable).parent / "capstone"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CAPSTONE), *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("module", cli.modules())
def test_a_module_of_commands_imports_nothing_heavy(module: str) -> None:
    asks = f"import sys, {module}; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout.split()

    assert [] == [name for name in HEAVY if name in loaded]


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group, by what is typed."""
    for word, one in group.commands.items():
        yield from commands(one, f"{name} {word}") if hasattr(one, "commands") else [(f"{name} {word}", one)]


def test_every_command_and_each_of_its_options_says_what_it_is() -> None:
    found = dict(commands(typer.main.get_command(cli.build()), "capstone"))
    options = {
        (typed, one.name): getattr(one, "help", "") for typed, command in found.items() for one in command.params
    }

    assert "capstone fault outage" in found
    assert [] == [typed for typed, command in found.items() if not command.help]
    assert [] == [option for option, text in options.items() if not text]


def test_an_error_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    ended = run("status", "--runtime", "local", CAPSTONE_RUN_DIR=str(tmp_path))

    assert (1, "error: nothing is running here: start it with `make up`\n") == (ended.returncode, ended.stderr)


def test_an_unexpected_error_is_one_line_that_says_how_to_see_all_of_it() -> None:
    script = "from conductor import cli; cli.build = lambda: 1 / 0; cli.main()"
    short = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    whole = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, cli.TRACEBACK: "1"},
    )

    assert 1 == len(short.stderr.splitlines())
    assert f"ZeroDivisionError: division by zero ({cli.TRACEBACK}=1 shows where)" in short.stderr
    assert "Traceback" in whole.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_is_one_line(number: signal.Signals) -> None:
    script = (
        "import os, signal, typer; from conductor import cli\n"
        # Who runs the tests in the background of a shell has it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "commands = typer.Typer()\n"
        "@commands.command()\n"
        f"def ended(): os.kill(os.getpid(), {number:d}); import time; time.sleep(10)\n"
        "cli.build = lambda: commands\n"
        "cli.main()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=20)

    assert (130, "interrupted\n") == (ended.returncode, ended.stderr)


def test_a_command_that_is_printed_is_one_that_can_be_typed(tmp_path: Path) -> None:
    script = "from conductor.command_line import as_typed; print(as_typed('see `capstone env`'))"
    path = os.pathsep.join([str(CAPSTONE.parent), os.environ["PATH"]])

    def printed(**environment: str) -> str:
        started = [sys.executable, "-c", script]
        return subprocess.run(
            started, capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, **environment}
        ).stdout.strip()

    assert "see `capstone env`" == printed(PATH=path)
    assert f"see `{CAPSTONE} env`" == printed(PATH="/usr/bin:/bin")


def test_the_next_command_speaks_to_the_same_platform() -> None:
    assert access.options(None, "capstones") == ""
    assert access.options("local", "capstones") == " --runtime local"
    assert access.options("kubernetes", "of-mine") == " --runtime kubernetes --namespace of-mine"
