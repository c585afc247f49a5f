"""Builds the images of capstones and brings them to a cluster that cannot pull them.

A capstone of the checkout has an image built from its own requirements. One that lies in a folder of CAPSTONE_PATH is put on the image of
the chassis, whose packages are all that it can import; its plug-in is put on the conductor's image.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from conductor.cluster.kubectl import run
from conductor.cluster.names import charts
from conductor.errors import Refused
from conductor.run_directory import CHECKOUT, home

SHARED = ("outside", "conductor")
"""Of the platform and of who loads and judges; a capstone's image has its name."""

PREFIX = "celery-capstones"
SERVICES = CHECKOUT / "services"

Tell = Callable[[str], None]


def name(service: str, tag: str) -> str:
    """An image's name with its tag."""
    return f"{PREFIX}/{service}:{tag}"


def build(tag: str, tell: Tell, capstones: Sequence[str]) -> list[str]:
    """Build the images of these capstones and of what they share, with docker or what DOCKER_HOST says; their names."""
    outside = [one for one in capstones if home(one) != CHECKOUT]
    inside = [one for one in capstones if one not in outside]
    for service in (*inside, *SHARED, *(["chassis"] if outside else [])):
        image = name(service, tag)
        tell(f"building {image}")
        _docker_build(SERVICES / "Dockerfile", SERVICES, image, SERVICE=service)
    for capstone in outside:
        _add(capstone, name("chassis", tag), name(capstone, tag), capstone, tell)
    # One conductor judges every capstone, also one whose own image is not built now.
    for capstone in (one for one in charts() if home(one) != CHECKOUT):
        conductor = name("conductor", tag)
        _add(f"conductor/capstones/{capstone}", conductor, conductor, capstone, tell)
    return [name(service, tag) for service in (*capstones, *SHARED)]


def _add(folder: str, base: str, image: str, capstone: str, tell: Tell) -> None:
    """Put a folder of a capstone's `services/` on an image."""
    tell(f"adding {folder} to {base} as {image}")
    _docker_build(SERVICES / "image" / "added.Dockerfile", home(capstone) / "services", image, BASE=base, FOLDER=folder)


def _docker_build(file: Path, context: Path, image: str, **arguments: str) -> None:
    given = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    run(["docker", "build", "--quiet", "--file", str(file), *given, "--tag", image, str(context)])


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
