"""`capstone backup | restore | reconcile`: the database to an earlier time, and what the outside did since."""

import json
import shutil
from typing import Annotated

import typer
from rich.console import Console

from conductor import history
from conductor.capstones.orders import NAME
from conductor.capstones.orders.restore_options import Apply, Refund, Since, Undo, moment
from conductor.command_line import typed
from conductor.history import Restored, now
from conductor.run_directory import RunDirectory

commands = typer.Typer()
CONSOLE = Console(highlight=False)


def _tell(text: str) -> None:
    CONSOLE.print(f"  {text}", style="dim", soft_wrap=True, markup=False)


@commands.command()
def backup(
    listed: Annotated[bool, typer.Option("--list", help="Show what there is and make none.")] = False,
    discard: Annotated[
        bool,
        typer.Option("--discard-replaced", help="Remove the databases that restores replaced, and the recovery list."),
    ] = False,
) -> None:
    """Make a base backup of the database; from the first one on its log is archived, so that every later time can be restored."""
    from conductor.laptop.backups import Backups
    from conductor.laptop.runtime import LocalRuntime

    platform = LocalRuntime.running(capstone=NAME).platform
    backups = Backups(platform.run)
    if discard:
        for folder in sorted(platform.postgres.data.parent.glob(f"{platform.postgres.data.name}.before-*")):
            shutil.rmtree(folder)
            print(f"removed {folder}")
        platform.run.recovery_list.unlink(missing_ok=True)
        return
    if not listed:
        made = backups.take(platform.postgres)
        print(
            f"base backup {made.name}: every time from {made.ended.isoformat(timespec='milliseconds')} on can be restored"
        )
    for base in backups.bases() if listed else []:
        print(f"{base.name}  {base.ended.isoformat(timespec='milliseconds')}")
    print(f"{backups.size_bytes() / 1e6:.1f} MB in {platform.run.backups}")


@commands.command()
def restore(
    to: Annotated[
        str, typer.Option("--to", metavar="TIME", help="ISO 8601 with its offset from UTC: 2026-03-01T12:00:00+00:00.")
    ],
) -> None:
    """Bring the database back to a time; stops the pools, keeps what there was, and leaves the pools down until it is reconciled."""
    from conductor.laptop import restore as restoring
    from conductor.laptop.runtime import LocalRuntime

    platform = LocalRuntime.running(capstone=NAME).platform
    point = restoring.restore(platform, moment(to), _tell)
    # `ledger verify` has to know what the database forgot.
    history.append(platform.run.kills(NAME), Restored(now(), point.to.timestamp()))
    CONSOLE.print(
        f"[bold green]restored[/bold green] to {point.to.isoformat()} from base backup {point.base}", soft_wrap=True
    )
    if point.kept:
        print(f"  what there was is kept in {point.kept}")
    CONSOLE.print(
        f"\nnext: [bold]{typed()} reconcile[/bold], then with [bold]--apply[/bold], then [bold]make up[/bold]"
    )


@commands.command()
def reconcile(
    since: Since = None,
    apply: Apply = False,
    undo: Undo = False,
    refund: Refund = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compare the books of provider and carrier with the orders; changes nothing without --apply."""
    from conductor.capstones.orders import reconciling
    from conductor.laptop.runtime import LocalRuntime

    run = RunDirectory.chosen()
    done = reconciling.reconcile(
        LocalRuntime.running(run, NAME), moment(since) if since else None, apply=apply, undo=undo, refund=refund or ()
    )
    if as_json:
        print(json.dumps(done.told))
    else:
        print("\n".join(reconciling.lines(done)))
    raise typer.Exit(done.status)
