"""`capstone cluster-restore backup | to | reconcile | resume`: the database in a cluster to an earlier time."""

from typing import Annotated

import typer
from rich.console import Console

from conductor.capstones.orders.restore_options import Apply, Refund, Since, Undo, moment
from conductor.cluster.kubectl import NAMESPACE, Kubectl
from conductor.command_line import typed

commands = typer.Typer(
    name="cluster-restore", no_args_is_help=True, help="The database in a cluster, to an earlier time and reconciled."
)

Namespace = Annotated[str, typer.Option(help="Where everything lives.")]
CONSOLE = Console(highlight=False)


def _tell(text: str) -> None:
    CONSOLE.print(f"  {text}", style="dim", soft_wrap=True, markup=False)


@commands.command()
def backup(namespace: Namespace = NAMESPACE) -> None:
    """Make a base backup now, besides the one a day."""
    from conductor.cluster import restore

    print(restore.backup(Kubectl(namespace)), end="")


@commands.command()
def to(
    time: Annotated[str, typer.Argument(metavar="TIME", help="ISO 8601 with its offset from UTC.")],
    namespace: Namespace = NAMESPACE,
) -> None:
    """Bring the database back to a time; stops the pools, keeps what there was, leaves the pools down until it is reconciled."""
    from conductor.cluster import restore

    print(restore.restore(Kubectl(namespace), moment(time), _tell))
    CONSOLE.print(
        f"\nnext: [bold]{typed()} cluster-restore reconcile[/bold], then with [bold]--apply[/bold], then [bold]resume[/bold]"
    )


@commands.command()
def reconcile(
    namespace: Namespace = NAMESPACE,
    since: Since = None,
    apply: Apply = False,
    undo: Undo = False,
    refund: Refund = None,
) -> None:
    """Compare the books of provider and carrier with the orders; changes nothing without --apply."""
    from conductor.capstones.orders import cluster_reconciliation

    kubectl = Kubectl(namespace)
    ended = cluster_reconciliation.reconcile(
        kubectl, moment(since) if since else None, apply=apply, undo=undo, refund=refund or ()
    )
    print(ended.output, end="")
    raise typer.Exit(ended.status)


@commands.command()
def resume(namespace: Namespace = NAMESPACE) -> None:
    """Bring the pools back as they were."""
    from conductor.cluster import restore

    restore.resume(Kubectl(namespace), _tell)
