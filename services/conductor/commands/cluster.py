"""`capstone cluster up | images | secrets | deploy | switch | canary | smoke | undeploy | down`: on Kubernetes, where kubectl points."""

import os
import time
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from conductor.cluster.kubectl import NAMESPACE, run
from conductor.cluster.secrets import Broker
from conductor.errors import Refused
from conductor.run_directory import CHECKOUT

if TYPE_CHECKING:
    from conductor.cluster.secret_rotation import What

commands = typer.Typer(name="cluster", no_args_is_help=True, help="The platform on Kubernetes, where kubectl points.")

KIND_NAME = "capstones"
KIND_CONFIGURATION = CHECKOUT / "k8s" / "cluster.yaml"

Namespace = Annotated[str, typer.Option(help="Where everything lives.")]
Tag = Annotated[str, typer.Option(help="The tag of our images.")]
Overlay = Annotated[str, typer.Option(help="A folder of k8s/overlays.")]
Within = Annotated[int, typer.Option(min=10, metavar="SECONDS", help="Patience with each part.")]
BrokerName = Annotated[str, typer.Option("--broker", help="rabbitmq or redis: what carries the orders' messages.")]
CONSOLE = Console(highlight=False)


def _tell(text: str) -> None:
    CONSOLE.print(f"  {text}", style="dim", soft_wrap=True, markup=False)


def _broker(name: str) -> Broker:
    if name not in ("rabbitmq", "redis"):
        raise Refused(f'--broker "{name}": rabbitmq or redis')
    return cast("Broker", name)


@commands.command()
def up() -> None:
    """Make a cluster with kind, unless kubectl already has one that answers."""
    from conductor.cluster import install

    if install.reachable():
        context = run(["kubectl", "config", "current-context"]).strip()
        where = os.environ.get("KUBECONFIG") or "~/.kube/config"
        print(f"using the cluster that is there: context {context} of {where}")
        return
    install.kind_up(KIND_CONFIGURATION, KIND_NAME)


@commands.command()
def down() -> None:
    """Remove the cluster that `up` made; one that was given is left alone."""
    from conductor.cluster import install

    context = run(["kubectl", "config", "current-context"]).strip()
    if context != f"kind-{KIND_NAME}":
        raise Refused(f"the context {context} is not a cluster that `cluster up` made; it is left alone")
    install.kind_down(KIND_NAME)


@commands.command()
def images(
    tag: Tag = "dev",
    load: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Brings images to the nodes; `none` when the cluster pulls them."),
    ] = None,
) -> None:
    """Build our images and bring them to the cluster's nodes; kind and minikube are known."""
    from conductor.cluster import images as cluster_images

    cluster_images.load(cluster_images.build(tag, _tell), _tell, command=load)


@commands.command()
def secrets(
    namespace: Namespace = NAMESPACE,
    broker: BrokerName = "rabbitmq",
    rotate: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="database or broker: another password, by a roll that loses nothing."),
    ] = None,
) -> None:
    """Make the Secrets that are missing; what is there is changed only by --rotate."""
    from conductor.cluster import install, secret_rotation
    from conductor.cluster.install import Installation

    if rotate is not None:
        if rotate not in ("database", "broker"):
            raise Refused(f'--rotate "{rotate}": database or broker')
        secret_rotation.rotate(Installation(namespace), cast("What", rotate), _tell)
        return
    install.make_secrets(Installation(namespace, broker=_broker(broker)), _tell)


@commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def deploy(
    context: typer.Context,
    namespace: Namespace = NAMESPACE,
    overlay: Overlay = "kind",
    tag: Tag = "dev",
    broker: BrokerName = "rabbitmq",
    within: Within = 300,
) -> None:
    """Install or upgrade everything and wait until it is ready; what else is given goes to `helm upgrade`."""
    from conductor.cluster import blue_green, install
    from conductor.cluster.install import Installation
    from conductor.cluster.releases import ClusterReleases

    began = time.monotonic()
    wanted = Installation(namespace, overlay, tag, _broker(broker), within, tuple(context.args))
    if install.reachable():
        blue_green.refuse_deploy(ClusterReleases(namespace))
    install.deploy(wanted, _tell)
    CONSOLE.print(f"[bold green]ready[/bold green] after {time.monotonic() - began:.0f} s")
    CONSOLE.print(f"  API    kubectl --namespace {namespace} port-forward service/orders-api 8000", soft_wrap=True)
    CONSOLE.print("         and then http://127.0.0.1:8000/docs", soft_wrap=True)
    token = (
        f"kubectl --namespace {namespace} get secret conductor --output jsonpath={{.data.OPERATOR_TOKEN}} | base64 -d"
    )
    CONSOLE.print(f"  token  {token}", soft_wrap=True, markup=False)
    CONSOLE.print("\nnext: [bold]make smoke[/bold]")


@commands.command()
def switch(
    to: Annotated[
        str, typer.Argument(metavar="COLOUR", help="Who is to work: blue, the release `orders`, or green, beside it.")
    ],
    tag: Annotated[str | None, typer.Option(help="Its version; the one that it has, when left out.")] = None,
    namespace: Namespace = NAMESPACE,
    within: Within = 300,
    alone: Annotated[bool, typer.Option("--alone", help="Take green away, once blue works.")] = False,
) -> None:
    """Have one release take the work over from the other, which then stands by; broken off, the same call goes on."""
    from conductor.cluster import blue_green
    from conductor.cluster.releases import ClusterReleases

    began = time.monotonic()
    wanted = blue_green.colour(to)
    blue_green.switch(ClusterReleases(namespace, within), wanted, tag, _tell, alone=alone)
    CONSOLE.print(f"[bold green]{to} works[/bold green] after {time.monotonic() - began:.0f} s")


@commands.command()
def canary(
    pool: Annotated[str, typer.Argument(help="A pool of workers.")],
    tag: Annotated[str, typer.Option(help="The version to be tried.")],
    namespace: Namespace = NAMESPACE,
    replicas: Annotated[int, typer.Option(min=1, help="Pods that run it, beside the pool's own.")] = 1,
    enough: Annotated[int, typer.Option(min=20, help="Commands that canary and others must have done, each.")] = 200,
    within: Annotated[
        int, typer.Option(min=10, metavar="SECONDS", help="Without a judgement by then it is withdrawn.")
    ] = 300,
) -> None:
    """Try a version on a share of a pool: promoted to every pool, or withdrawn, which is exit status 1."""
    from conductor.cluster import canary_rollout
    from conductor.cluster.canary_rollout import Trial
    from conductor.cluster.releases import ClusterReleases

    trial = Trial(pool, tag, replicas, enough, within)
    outcome = canary_rollout.hold(ClusterReleases(namespace), trial, _tell)
    CONSOLE.print(
        f"[bold {'green' if outcome.promoted else 'red'}]{'promoted' if outcome.promoted else 'withdrawn'}[/]: ", end=""
    )
    CONSOLE.print(outcome.why, soft_wrap=True, markup=False)
    if not outcome.promoted:
        raise typer.Exit(1)


@commands.command()
def smoke(
    namespace: Namespace = NAMESPACE,
    tag: Tag = "dev",
    orders: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
) -> None:
    """Place orders from inside the cluster and see all of them delivered; the last line is JSON."""
    from conductor.cluster import install
    from conductor.cluster.install import Installation

    ended = install.smoke(Installation(namespace, tag=tag), orders)
    print(ended.output, end="")
    raise typer.Exit(ended.status)


@commands.command()
def undeploy(
    namespace: Namespace = NAMESPACE,
    volumes: Annotated[bool, typer.Option("--volumes", help="What was stored and the Secrets as well.")] = False,
) -> None:
    """Take orders and platform away; what they stored stays, unless told otherwise."""
    from conductor.cluster import install
    from conductor.cluster.install import Installation

    install.undeploy(Installation(namespace), _tell, volumes=volumes)
