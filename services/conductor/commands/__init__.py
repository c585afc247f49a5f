"""The groups of commands; each module offers `commands`, a typer app (see conductor.cli)."""
