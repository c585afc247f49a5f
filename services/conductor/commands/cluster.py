"""`capstone cluster up | images | secrets | deploy | switch | canary | smoke | undeploy | down`: on Kubernetes, where kubectl points."""

import os
import time
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from conductor import capstones
from conductor.cluster.kubectl import NAMESPACE, run
from conductor.cluster.secrets import Broker
from conductor.errors import Refused
from conductor.run_directory import CHECKOUT, FIRST

if TYPE_CHECKING:
    from conductor.cluster.secret_rotation import What

commands = typer.Typer(name="cluster", no_args_is_help=True, help="The platform on Kubernetes, where kubectl points.")

KIND_NAME = "capstones"
KIND_CONFIGURATION = CHECKOUT / "k8s" / "cluster.yaml"

Capstones = Annotated[
    list[str] | None,
    typer.Option("--capstone", metavar="NAME", help="Which one, or all; may be given several times."),
]
Capstone = Annotated[
    str | None,
    typer.Option("--capstone", metavar="NAME", help="Which one; may be left out while one is installed only."),
]
Namespace = Annotated[str, typer.Option(help="Where everything lives.")]
Tag = Annotated[str, typer.Option(help="The tag of our images.")]
Overlay = Annotated[str, typer.Option(help="A folder of k8s/overlays.")]
Within = Annotated[int, typer.Option(min=10, metavar="SECONDS", help="Patience with each part.")]
BrokerName = Annotated[str, typer.Option("--broker", help="rabbitmq or redis: what carries the capstones' messages.")]
CONSOLE = Console(highlight=False)


def _tell(text: str) -> None:
    CONSOLE.print(f"  {text}", style="dim", soft_wrap=True, markup=False)


def _known(names: list[str] | None) -> tuple[str, ...]:
    """These capstones, each once, or all there are when none is named."""
    return tuple(dict.fromkeys(capstones.known(names or ["all"])))


def _broker(name: str) -> Broker:
    if name not in ("rabbitmq", "redis"):
        raise Refused(f'--broker "{name}": rabbitmq or redis')
    return cast("Broker", name)


def _helm_options(words: list[str]) -> tuple[str, ...]:
    """What helm is given besides. It would say what is no option of it after half of the platform was changed."""
    if words and not words[0].startswith("-"):
        raise Refused(f'"{words[0]}" is no option of helm upgrade; a capstone is named by --capstone')
    return tuple(words)


@commands.command()
def up() -> None:
    """Make a cluster with kind, unless kubectl already has one that answers."""
    from conductor.cluster import install, kind

    if install.reachable():
        context = run(["kubectl", "config", "current-context"]).strip()
        where = os.environ.get("KUBECONFIG") or "~/.kube/config"
        print(f"using the cluster that is there: context {context} of {where}")
        return
    kind.up(KIND_CONFIGURATION, KIND_NAME)


@commands.command()
def down() -> None:
    """Remove the cluster that `up` made; one that was given is left alone."""
    from conductor.cluster import kind

    context = run(["kubectl", "config", "current-context"]).strip()
    if context != f"kind-{KIND_NAME}":
        raise Refused(f"the context {context} is not a cluster that `cluster up` made; it is left alone")
    kind.down(KIND_NAME)


@commands.command()
def images(
    capstone: Capstones = None,
    tag: Tag = "dev",
    load: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Brings images to the nodes; `none` when the cluster pulls them."),
    ] = None,
) -> None:
    """Build our images, those of every capstone when none is named, and bring those that changed to the cluster's nodes."""
    from conductor.cluster import image_loading
    from conductor.cluster import images as cluster_images

    loader = image_loading.loader(load)
    image_loading.load(cluster_images.build(tag, _tell, _known(capstone)), _tell, loader)


@commands.command()
def secrets(
    capstone: Capstones = None,
    namespace: Namespace = NAMESPACE,
    broker: BrokerName = "rabbitmq",
    rotate: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="database or broker: another password, by a roll that loses nothing."),
    ] = None,
) -> None:
    """Make the Secrets that are missing, those of every capstone when none is named; what is there is changed only by --rotate."""
    from conductor.cluster import install, secret_rotation
    from conductor.cluster.installation import Installation

    if rotate is not None:
        if rotate not in ("database", "broker"):
            raise Refused(f'--rotate "{rotate}": database or broker')
        for name in _known(capstone) if capstone else [install.chosen(namespace, None)]:
            secret_rotation.rotate(Installation(namespace), name, cast("What", rotate), _tell)
        return
    install.make_secrets(Installation(namespace, broker=_broker(broker)), _known(capstone), _tell)


@commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def deploy(
    context: typer.Context,
    capstone: Capstones = None,
    namespace: Namespace = NAMESPACE,
    overlay: Overlay = "kind",
    tag: Tag = "dev",
    broker: BrokerName = "rabbitmq",
    within: Within = 300,
) -> None:
    """Install or upgrade the platform and capstones and wait until all is ready; what else is given goes to `helm upgrade`.

    Without --capstone: those that are installed, and where none is, the orders.
    """
    from conductor.cluster import blue_green, install
    from conductor.cluster.installation import Installation
    from conductor.cluster.names import Names
    from conductor.cluster.releases import ClusterReleases

    began = time.monotonic()
    wanted = Installation(namespace, overlay, tag, _broker(broker), within, _helm_options(context.args))
    asked = _known(capstone) if capstone else ()
    if install.reachable():
        asked = asked or tuple(install.installed(namespace))
        for name in asked:
            blue_green.refuse_deploy(ClusterReleases(namespace, capstone=name))
    names = asked or (FIRST,)
    install.deploy(wanted, names, _tell)
    CONSOLE.print(f"[bold green]ready[/bold green] after {time.monotonic() - began:.0f} s")
    for own in map(Names, names):
        kubectl = f"kubectl --namespace {namespace}"
        CONSOLE.print(f"{own.capstone}")
        CONSOLE.print(f"  API    {kubectl} port-forward service/{own.api_service} 8000", soft_wrap=True)
        CONSOLE.print("         and then http://127.0.0.1:8000/docs", soft_wrap=True)
        token = f"{kubectl} get secret {own.conductor_secret} --output jsonpath={{.data.OPERATOR_TOKEN}} | base64 -d"
        CONSOLE.print(f"  token  {token}", soft_wrap=True, markup=False)
    if any(install.can_smoke(own) for own in map(Names, names)):
        CONSOLE.print("\nnext: [bold]make smoke[/bold]")


@commands.command()
def switch(
    to: Annotated[
        str,
        typer.Argument(
            metavar="COLOUR",
            help="Who is to work: blue, the release that has the capstone's name, or green, beside it.",
        ),
    ],
    tag: Annotated[str | None, typer.Option(help="Its version; the one that it has, when left out.")] = None,
    capstone: Capstone = None,
    namespace: Namespace = NAMESPACE,
    within: Within = 300,
    alone: Annotated[bool, typer.Option("--alone", help="Take green away, once blue works.")] = False,
) -> None:
    """Have one release take the work over from the other, which then stands by; broken off, the same call goes on."""
    from conductor.cluster import blue_green, install
    from conductor.cluster.releases import ClusterReleases

    began = time.monotonic()
    wanted = blue_green.colour(to)
    releases = ClusterReleases(namespace, within, capstone=install.chosen(namespace, capstone))
    blue_green.switch(releases, wanted, tag, _tell, alone=alone)
    CONSOLE.print(f"[bold green]{to} works[/bold green] after {time.monotonic() - began:.0f} s")


@commands.command()
def canary(
    pool: Annotated[str, typer.Argument(help="A pool of workers.")],
    tag: Annotated[str, typer.Option(help="The version to be tried.")],
    capstone: Capstone = None,
    namespace: Namespace = NAMESPACE,
    replicas: Annotated[int, typer.Option(min=1, help="Pods that run it, beside the pool's own.")] = 1,
    enough: Annotated[int, typer.Option(min=20, help="Commands that canary and others must have done, each.")] = 200,
    within: Annotated[
        int, typer.Option(min=10, metavar="SECONDS", help="Without a judgement by then it is withdrawn.")
    ] = 300,
) -> None:
    """Try a version on a share of a pool: promoted to every pool, or withdrawn, which is exit status 1."""
    from conductor.cluster import canary_rollout, install
    from conductor.cluster.canary_rollout import Trial
    from conductor.cluster.releases import ClusterReleases

    trial = Trial(pool, tag, replicas, enough, within)
    releases = ClusterReleases(namespace, capstone=install.chosen(namespace, capstone))
    outcome = canary_rollout.hold(releases, trial, _tell)
    CONSOLE.print(
        f"[bold {'green' if outcome.promoted else 'red'}]{'promoted' if outcome.promoted else 'withdrawn'}[/]: ", end=""
    )
    CONSOLE.print(outcome.why, soft_wrap=True, markup=False)
    if not outcome.promoted:
        raise typer.Exit(1)


@commands.command()
def smoke(
    capstone: Capstone = None,
    namespace: Namespace = NAMESPACE,
    tag: Tag = "dev",
    requests: Annotated[int, typer.Option("--requests", "--orders", min=1, help="How many.")] = 50,
) -> None:
    """Send requests from inside the cluster and see all of them completed; the last line is JSON."""
    from conductor.cluster import install
    from conductor.cluster.installation import Installation
    from conductor.cluster.names import Names

    ended = install.smoke(Installation(namespace, tag=tag), Names(install.chosen(namespace, capstone)), requests)
    print(ended.output, end="")
    raise typer.Exit(ended.status)


@commands.command()
def undeploy(
    capstone: Capstones = None,
    namespace: Namespace = NAMESPACE,
    volumes: Annotated[bool, typer.Option("--volumes", help="What was stored and the Secrets as well.")] = False,
) -> None:
    """Take everything away, or some capstones while the others go on; what was stored stays, unless told otherwise."""
    from conductor.cluster import removal
    from conductor.cluster.installation import Installation

    if capstone and volumes:
        raise Refused("--volumes takes what every capstone stored, and the platform with it: leave --capstone out")
    removal.undeploy(Installation(namespace), _known(capstone), _tell, platform=not capstone, volumes=volumes)
