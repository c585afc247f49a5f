"""`capstone analytics report | recount | erase`: what the archive is for."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from conductor import access
from conductor.access import NamespaceOption, RuntimeOption
from conductor.capstones.analytics import NAME
from conductor.cluster.kubectl import NAMESPACE
from conductor.errors import Refused

commands = typer.Typer(name="archive")
SHORT = True

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@commands.command()
def recount(
    day: Annotated[str, typer.Option(help="A day of UTC, for example 2026-11-28.")],
    most: Annotated[int, typer.Option(min=1, help="Differences that are named at most.")] = 1000,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Compare each counter of a day with the archive; exit status 1 when one differs, each is named; 2 when it cannot be done."""
    from conductor.capstones.analytics import tools

    try:
        datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007 only whether it is a day
    except ValueError:
        raise Refused(f'--day "{day}": YYYY-MM-DD is expected') from None
    arguments = ["--day", day, "--most", str(most), *["--json"] * as_json]
    raise typer.Exit(tools.run("recount", arguments, runtime=runtime, namespace=namespace))


@commands.command()
def erase(
    user: Annotated[str, typer.Argument(help="A user's id.")],
    actor: Annotated[str | None, typer.Option(help="Who decides this, for the receipt; you, when left out.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: what is erased cannot be brought back.")] = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Erase a user from counters, recommendations, archive and parked batches; prints the receipt, which does not hold the id."""
    from conductor.capstones.analytics import tools

    if not yes and not typer.confirm(f"erase {user} for ever?"):
        raise typer.Exit(1)
    # After the dashes anything is an id, whatever it begins with.
    arguments = ["--actor", actor or tools.whoever(), "--", user]
    raise typer.Exit(tools.run("erase", arguments, runtime=runtime, namespace=namespace))


@commands.command()
def report(
    period: Annotated[str, typer.Option(help="hour or day.")] = "day",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Periods listed at most.")] = 20,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """List the reports that were made, the newest revision of each period; the folder is below ARCHIVE_URL."""
    from conductor.capstones.analytics import reports
    from conductor.capstones.analytics.commands.event import table

    if period not in ("hour", "day"):
        raise Refused(f'--period "{period}": hour or day')
    with access.opened(runtime, namespace, NAME) as platform:
        found = [asdict(one) for one in reports.newest(platform.reach, period, limit)]
    if as_json:
        print(json.dumps(found))
    elif found:
        Console(highlight=False).print(table(found, ("begin", "revision", "events", "made_at", "folder")))
    else:
        print(f"no {period} was reported yet: reports are made where there is an archive, once a period is over")
