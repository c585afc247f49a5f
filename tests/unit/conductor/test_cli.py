"""The command line: whole, or as much of it as a command needs."""

import subprocess
import sys

import pytest
from typer.main import get_command

from conductor import cli

MODULES = list(cli.modules())


def offered(first: str = "") -> set[str]:
    found = get_command(cli.build(first))
    return set(found.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", MODULES)
def test_a_command_that_is_named_like_a_module_is_there_without_the_others(module: str) -> None:
    name = module.replace("_", "-")

    assert (name in offered()) == (name in offered(name))


@pytest.mark.parametrize("first", ["up", "--help", "no-such-command"])
def test_any_other_word_has_the_whole(first: str) -> None:
    assert offered() == offered(first)


def test_a_command_imports_what_it_needs_and_no_more() -> None:
    asks = "import sys; from conductor import cli; cli.build('order'); print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout.split()

    assert "conductor.capstones.orders.commands.order" in loaded
    assert not {"redis", "conductor.commands.drill", "conductor.harness.runner"} & set(loaded)
