"""One installation for all of these tests, from this checkout's images, in a namespace of its own where kubectl points to.

E2E_LOAD is the command that brings images to that cluster's nodes; E2E_NODE_OFF and E2E_NODE_ON cut a node's power and give it back (kind
and minikube are known without them); E2E_ORDERS is how many orders a drill accepts at least; E2E_PART=1/4 plays every fourth drill of
each capstone; with E2E_KEEP=1 the installation stays; E2E_NAMESPACE is where.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests import `playing` by name

from playing import PATIENCE, POWER, REQUESTS, missing, played, size

from conductor import capstones
from conductor.capstone import Patience
from conductor.capstones.orders.capstone import NEWER_CODE
from conductor.cluster import image_loading, install, removal
from conductor.cluster import images as cluster_images
from conductor.cluster.installation import Installation
from conductor.cluster.kubectl import run
from conductor.cluster.runtime import KubernetesRuntime
from conductor.harness.drill import Drill
from conductor.harness.runner import Played

NAMESPACE = os.environ.get("E2E_NAMESPACE", "capstones-e2e")
TAG, NEXT, BAD, FAULTY = "e2e", "e2e-next", "e2e-bad", "e2e-faulty"
ORDERS = capstones.named("orders")
IMAGES = Path(__file__).parent / "images"
SETTINGS = (
    # What was lost is due again soon: a drill wants to see it, not to wait for it.
    *("--set", "settings.relayLeaseSeconds=5", "--set", "settings.reconcileEverySeconds=15"),
    # A busy machine is not what is drilled.
    *("--set", "settings.outsideTimeoutSeconds=8"),
)

Play = Callable[..., Played]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A drill takes longer than any other test; a module says so where it takes longer still."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(1200))


def tell(text: str) -> None:
    """For pytest's captured output."""
    sys.stdout.write(f"{text}\n")


@pytest.fixture(scope="session")
def images() -> list[str]:
    """Our images, and other versions of the orders: one with more, one whose workers end at once, one whose charges fail now and then."""
    if not install.reachable():
        missing("kubectl points to no cluster that answers")
    built = cluster_images.build(TAG, tell, capstones.names())
    for version, tag in (("next", NEXT), ("bad", BAD), ("faulty", FAULTY)):
        image = cluster_images.name("orders", tag)
        base = f"BASE={cluster_images.name('orders', TAG)}"
        given = ("--build-arg", base, "--build-arg", f"CODE={NEWER_CODE}")
        run(["docker", "build", "--quiet", *given, "--tag", image, str(IMAGES / version)])
        built.append(image)
    image_loading.load(built, tell, image_loading.loader(os.environ.get("E2E_LOAD")))
    return built


@pytest.fixture(scope="session")
def installation(images: list[str]) -> Iterator[Installation]:
    """Platform and orders, ready; taken away with all they stored."""
    wanted = Installation(NAMESPACE, tag=TAG, extra=SETTINGS)
    try:
        install.deploy(wanted, [ORDERS.name], tell)
        yield wanted
    finally:
        if os.environ.get("E2E_KEEP"):
            tell(f"kept in the namespace {NAMESPACE}")
        else:
            removal.undeploy(wanted, capstones.names(), tell, platform=True, volumes=True)


@pytest.fixture(scope="session")
def runtime(installation: Installation) -> KubernetesRuntime:
    """What is installed, as drills see it."""
    return KubernetesRuntime(NAMESPACE, TAG, NEXT, BAD, faulty_tag=FAULTY, power=POWER, capstone=ORDERS.name)


@pytest.fixture
def play(runtime: KubernetesRuntime) -> Play:
    """Plays a drill by name, or one made for the test, on it."""

    def run_drill(drill: str | Drill, requests: int = REQUESTS, *, patience: Patience = PATIENCE) -> Played:
        return played(runtime, drill, size(requests), patience)

    return run_drill
