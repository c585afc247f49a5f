"""Which platform a command speaks to: the one of this laptop, or an installation in a cluster.

`--runtime` decides. Without it the laptop's platform is meant while it runs, and else the installation that kubectl shows; a line on
stderr then names context and namespace, because kubectl may point anywhere.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from conductor.cluster.kubectl import NAMESPACE, Kubectl, run
from conductor.errors import ClusterFailed, NotRunning, Refused
from conductor.run_directory import RunDirectory

if TYPE_CHECKING:
    from conductor.runtime import Reach

RuntimeName = Literal["local", "kubernetes"]
RuntimeOption = Annotated[
    str | None, typer.Option("--runtime", help="local or kubernetes; whichever runs, when left out.")
]
CapstoneOption = Annotated[
    str | None, typer.Option("--capstone", metavar="NAME", help="Which one; may be left out while one runs only.")
]
NamespaceOption = Annotated[str, typer.Option("--namespace", help="Of the installation in a cluster.")]
LOOK_SECONDS = 5
"""How long a cluster that nobody named may take to say whether something is installed there."""


@dataclass(frozen=True, slots=True)
class Access:
    """An open way to a platform. `journals` keeps what this machine's clients were promised by it."""

    runtime: RuntimeName
    reach: "Reach"
    journals: Path


def options(runtime: str | None, namespace: str) -> str:
    """What the next command is to be given as well, so that it speaks to the same platform; empty where nothing was said."""
    told = [("--runtime", runtime)] if runtime else []
    told += [("--namespace", namespace)] if namespace != NAMESPACE else []
    return "".join(f" {name} {value}" for name, value in told)


@contextlib.contextmanager
def opened(asked: str | None, namespace: str, capstone: str | None = None) -> Iterator[Access]:
    """The platform that is meant, for as long as the block runs. Raises NotRunning when nothing runs, Refused for a bad name.

    On a laptop it is seen as the capstone sees it; that may be left out where one runs only.
    """
    if chosen(asked, namespace) == "local":
        from conductor.laptop.runtime import LocalRuntime

        laptop = LocalRuntime.running(capstone=capstone)
        yield Access("local", laptop, RunDirectory.chosen().journals(laptop.platform.name))
        return
    from conductor.cluster import install
    from conductor.cluster.access import ClusterAccess

    name = install.chosen(namespace, capstone)
    with ClusterAccess(namespace, name) as reach:
        yield Access("kubernetes", reach, journals_of(namespace, name))


def journals_of(namespace: str, capstone: str) -> Path:
    """Apart from the laptop's: what one platform promised is nothing that another has lost."""
    return RunDirectory.chosen().path / "clusters" / namespace / capstone


def chosen(asked: str | None, namespace: str) -> RuntimeName:
    """The kind of platform that is meant. Raises NotRunning when none is named and none runs."""
    if asked in ("local", "kubernetes"):
        return "local" if asked == "local" else "kubernetes"
    if asked is not None:
        raise Refused(f'--runtime "{asked}": local or kubernetes')
    if _runs_here():
        return "local"
    context = _context(namespace)
    if context is None:
        raise NotRunning(
            f'nothing runs here, and kubectl shows no installation in the namespace "{namespace}": '
            "`make up` starts it on this machine, `make deploy` in a cluster"
        )
    print(f"kubernetes: context {context}, namespace {namespace}", file=sys.stderr)
    return "kubernetes"


def _runs_here() -> bool:
    """Whether this checkout's supervisor answers."""
    run_directory = RunDirectory.chosen()
    if not run_directory.state.exists():
        return False
    from conductor.laptop import state
    from conductor.laptop.supervisor import Supervisor

    return Supervisor(run_directory, state.loaded(run_directory.state)).answers()


def _context(namespace: str = NAMESPACE) -> str | None:
    """kubectl's context when something of ours is installed in the namespace there."""
    kubectl = Kubectl(namespace)
    try:
        found = kubectl(
            *("get", "secret", "outside-admin", "--ignore-not-found", "--output", "name"),
            f"--request-timeout={LOOK_SECONDS}s",
        )
        return run(["kubectl", "config", "current-context"]).strip() if found.strip() else None
    except ClusterFailed:
        return None
