"""Labs whose code runs in pods: the same folders get the same verdicts as on a laptop."""

from functools import partial

import pytest
from playing import shared_out

from conductor.cluster.kubectl import run
from grader.adapters.kubernetes.box import KubernetesBox
from grader.adapters.kubernetes.namespace import LABEL
from grader.catalog import MODEL, Catalog
from grader.proving import at_once
from servers import wait_until

TAG = "e2e"
CATALOG = Catalog()
WRONG = {"lost-in-the-roll": "late-without-key", "two-clocks": "first-come", "ping-pong": "no-answer-is-death"}


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("slug", shared_out(tuple(WRONG)))
def test_answers_get_in_a_cluster_what_they_get_on_a_laptop(slug: str) -> None:
    lab = CATALOG.lab(slug)

    graded = list(at_once(CATALOG, [(lab, MODEL), (lab, WRONG[slug])], partial(KubernetesBox, TAG), parallel=2))

    wrong = [f"{proof.answer}: {line}" for proof in graded if not proof.holds for line in proof.details]
    assert not wrong, "\n".join(wrong)
    left = ("kubectl", "get", "namespaces", "--selector", LABEL, "--output", "name")
    wait_until(lambda: run(left) == "", what="namespaces to be gone", seconds=120)


def test_every_lab_of_a_cluster_is_among_these() -> None:
    assert set(WRONG) == {slug for slug in CATALOG.slugs() if "kubernetes" in CATALOG.lab(slug).runtimes}
