"""Builds the images of capstones; conductor.cluster.image_loading brings them to the nodes.

A capstone of the checkout has an image built from its own requirements. One that lies in a folder of CAPSTONE_PATH is put on the image of
the chassis, whose packages are all that it can import; its plug-in is put on the conductor's image.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from conductor.cluster.kubectl import run
from conductor.cluster.names import charts
from conductor.run_directory import CHECKOUT, home

SHARED = ("outside", "conductor")
"""Of the platform and of who loads and judges; a capstone's image has its name."""

PREFIX = "celery-capstones"
SERVICES = CHECKOUT / "services"

Tell = Callable[[str], None]


def name(service: str, tag: str) -> str:
    """An image's name with its tag."""
    return f"{PREFIX}/{service}:{tag}"


def library(service: str) -> str:
    """The package that a service stands on: the chassis, or itself. An image is built anew only when one of the two changed."""
    return service if service in SHARED else "chassis"


def build(tag: str, tell: Tell, capstones: Sequence[str]) -> list[str]:
    """Build the images of these capstones and of what they share, with docker or what DOCKER_HOST says; their names."""
    outside = [one for one in capstones if home(one) != CHECKOUT]
    inside = [one for one in capstones if one not in outside]
    for service in (*inside, *SHARED, *(["chassis"] if outside else [])):
        image = name(service, tag)
        tell(f"building {image}")
        _docker_build(SERVICES / "Dockerfile", SERVICES, image, SERVICE=service, LIBRARY=library(service))
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
