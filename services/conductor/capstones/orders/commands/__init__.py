"""The groups of commands that only orders has; each module offers `commands`, a typer app (see conductor.cli)."""
