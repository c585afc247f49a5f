"""A cluster made by kind."""

from pathlib import Path

from conductor.cluster.kubectl import run


def up(configuration: Path, name: str) -> None:
    """Make a cluster with kind; its context becomes kubectl's current one."""
    run(["kind", "create", "cluster", "--name", name, "--config", str(configuration), "--wait", "120s"], shown=True)


def down(name: str) -> None:
    """Remove it."""
    run(["kind", "delete", "cluster", "--name", name], shown=True)
