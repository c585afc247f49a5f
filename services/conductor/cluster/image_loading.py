"""Brings images to the nodes of a cluster that cannot pull them: those that changed, and those that a node does not have.

Each node says in annotations which images it got and when, so that whoever loads another one under the same name is seen. Its own list
says whether an image was removed since; a kubelet lists 50, the largest first, and tells of a new one late. Who may not ask for nodes
loads every image.
"""

import json
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

from conductor.cluster.kubectl import run
from conductor.errors import ClusterFailed, Refused

LISTED = 50
"""Images that a kubelet lists at most; which more a node has is not known."""

LISTED_SECONDS = 60.0
"""After which a node's list has what was loaded: a kubelet asks its runtime every 30 s, and tells its node's status every 10 s."""

GOT = "celery-capstones/loaded-images"
"""The annotation of a node: a JSON object of image ids by name."""

AT = "celery-capstones/images-loaded-at"
"""The annotation of a node: when it got images last, in seconds of Unix time."""

Tell = Callable[[str], None]


def loader(command: str | None) -> list[str]:
    """The command that takes images' names and brings them to the nodes; empty for `none`, when the cluster pulls them.

    Without a command it is that of kind or minikube. Refused when it cannot be run, before anything is built.
    """
    if command is None:
        argv = _of_the_context()
        if not argv:
            raise Refused(
                "--load: how do images come to this cluster? Give the command that takes their names, or `none`"
            )
        return argv
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise Refused(f"--load {command!r}: {error}") from None
    if not argv:
        raise Refused(f"--load {command!r}: a command that takes the names of images, or `none`")
    if argv == ["none"]:
        return []
    if shutil.which(argv[0]) is None:
        raise Refused(f"--load {command!r}: there is no program {argv[0]!r}")
    return argv


def load(images: Sequence[str], tell: Tell, argv: Sequence[str]) -> None:
    """Bring those that changed, with `argv` and their names; nothing when `argv` is empty."""
    if not argv:
        return
    nodes = _nodes()
    built = dict(zip(images, run(["docker", "image", "inspect", "--format", "{{.Id}}", *images]).split(), strict=True))
    fresh = [name for name in images if not nodes or not all(_has(node, name, built[name]) for node in nodes)]
    if kept := [name for name in images if name not in fresh]:
        tell(f"on the nodes already: {', '.join(kept)}")
    if not fresh:
        return
    tell(f"loading {', '.join(fresh)} with {' '.join(argv)}")
    run([*argv, *fresh])
    for node in nodes:
        got = {name: image for name, image in _got(node).items() if _lists(node, name)} | built
        told = (f"{GOT}={json.dumps(got)}", f"{AT}={int(time.time())}")
        run(["kubectl", "annotate", "--overwrite", "node", node["metadata"]["name"], *told])


def _of_the_context() -> list[str]:
    """What loads images into the cluster of kubectl's current context; empty when that is not known."""
    context = run(["kubectl", "config", "current-context"]).strip()
    if context.startswith("kind-"):
        return ["kind", "load", "docker-image", "--name", context.removeprefix("kind-")]
    if context == "minikube":
        return ["minikube", "image", "load"]
    return []


def _nodes() -> list[dict[str, Any]]:
    """What is known of the nodes; empty for who may not know."""
    try:
        found: list[dict[str, Any]] = json.loads(run(["kubectl", "get", "nodes", "--output", "json"]))["items"]
    except ClusterFailed:
        return []
    return found


def _got(node: dict[str, Any]) -> dict[str, str]:
    """The ids of the images that were brought to the node, by name."""
    images: dict[str, str] = json.loads(_annotation(node, GOT, "{}"))
    return images


def _annotation(node: dict[str, Any], name: str, default: str) -> str:
    found: str = node["metadata"].get("annotations", {}).get(name, default)
    return found


def _lists(node: dict[str, Any], image: str) -> bool:
    """False when the node's list is complete, not older than what it got last, and does not name the image."""
    if 0 <= time.time() - float(_annotation(node, AT, "0")) < LISTED_SECONDS:
        return True
    listed = [name for each in node["status"].get("images", []) for name in each.get("names") or []]
    complete = len(node["status"].get("images", [])) < LISTED
    return not complete or any(name == image or name.endswith(f"/{image}") for name in listed)


def _has(node: dict[str, Any], image: str, wanted: str) -> bool:
    return _got(node).get(image) == wanted and _lists(node, image)
