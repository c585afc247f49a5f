"""Builds the images of a checkout and brings them to a cluster that cannot pull them."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from conductor.cluster.kubectl import run
from conductor.errors import Refused
from conductor.run_directory import CHECKOUT

SHARED = ("outside", "conductor")
"""Of the platform and of who loads and judges; a capstone's image has its name."""

PREFIX = "celery-capstones"

Tell = Callable[[str], None]


def name(service: str, tag: str) -> str:
    """An image's name with its tag."""
    return f"{PREFIX}/{service}:{tag}"


def build(tag: str, tell: Tell, capstones: Sequence[str], *, checkout: Path = CHECKOUT) -> list[str]:
    """Build the images of these capstones and of what they share, with docker or what DOCKER_HOST says; their names."""
    folder = checkout / "services"
    built = []
    for service in (*capstones, *SHARED):
        image = name(service, tag)
        tell(f"building {image}")
        run(["docker", "build", "--quiet", "--build-arg", f"SERVICE={service}", "--tag", image, str(folder)])
        built.append(image)
    return built


def load(images: Sequence[str], tell: Tell, *, command: str | None = None) -> None:
    """Bring images to the cluster's nodes, with `command` (the images are appended) or as kind and minikube do it."""
    argv = shlex.split(command) if command else _loader()
    if not argv:
        raise Refused("--load: how do images come to this cluster? Give the command that takes their names, or `none`")
    if argv == ["none"]:
        return
    tell(f"loading with {' '.join(argv)}")
    run([*argv, *images])


def _loader() -> list[str]:
    """What loads images into the cluster of kubectl's current context; empty when that is not known."""
    context = run(["kubectl", "config", "current-context"]).strip()
    if context.startswith("kind-"):
        return ["kind", "load", "docker-image", "--name", context.removeprefix("kind-")]
    if context == "minikube":
        return ["minikube", "image", "load"]
    return []
