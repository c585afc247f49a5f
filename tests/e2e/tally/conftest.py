"""The tally in the cluster, beside the orders: found by a search path, and built on the chassis' image. No shared file knows it."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from playing import beside

from conductor.cluster import image_loading
from conductor.cluster import images as cluster_images
from conductor.cluster.installation import Installation
from conductor.cluster.kubectl import run
from conductor.cluster.runtime import KubernetesRuntime
from conductor.run_directory import CAPSTONE_PATH

TESTS = Path(__file__).resolve().parents[2]
HOME = TESTS / "fixtures" / "tally"
MUTANT = "e2e-mutant"
"""The tag of an image with `tests/mutants` in it; a pod of it is as sound as any until MUTANT says what to break."""

SETTINGS = (
    # What was lost is due again soon: a drill wants to see it, not to wait for it.
    *("--set", "settings.relayLeaseSeconds=5"),
    # As poison-message wants it, so that no pod is replaced for it; no other drill hits a command so often.
    *("--set", "settings.maxAttempts=3"),
)

Mutate = Callable[[Mapping[str, str]], None]


@contextlib.contextmanager
def on_the_path() -> Iterator[None]:
    """The tally is found in the block, and by no test of another folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CAPSTONE_PATH, str(HOME))
        yield


@pytest.fixture(autouse=True)
def found() -> Iterator[None]:
    """Each of these tests finds it."""
    with on_the_path():
        yield


@pytest.fixture(scope="module")
def runtime(installation: Installation) -> Iterator[KubernetesRuntime]:
    """The tally, installed beside the orders; taken away after these tests."""
    ended = contextlib.ExitStack()
    with on_the_path():
        built = cluster_images.build(installation.tag, print, ["tally"])
        mutant = cluster_images.name("tally", MUTANT)
        given = (
            "--build-arg",
            f"BASE={cluster_images.name('tally', installation.tag)}",
            "--build-arg",
            "FOLDER=sitecustomize.py",
        )
        added = cluster_images.SERVICES / "image" / "added.Dockerfile"
        run(["docker", "build", "--quiet", "--file", str(added), *given, "--tag", mutant, str(TESTS / "mutants")])
        image_loading.load([*built, mutant], print, image_loading.loader(os.environ.get("E2E_LOAD")))
        running = ended.enter_context(beside(installation, "tally", *SETTINGS))
    yield running
    with on_the_path():
        ended.close()


@pytest.fixture
def mutate(runtime: KubernetesRuntime) -> Iterator[Mutate]:
    """Replaces every pod, by ones in which these guards are broken, by pool; sound ones take their place again after the test."""
    before = runtime.values()

    def deploy(mutants: Mapping[str, str]) -> None:
        broken = {pool: {"extraEnv": [{"name": "MUTANT", "value": names}]} for pool, names in mutants.items()}
        runtime.deploy(values={**before, "image": {**before["image"], "tag": MUTANT}, "pools": broken})

    yield deploy
    runtime.deploy(values=before)
