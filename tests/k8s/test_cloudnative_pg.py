"""The component that gives the database to CloudNativePG: one address, three instances, and pods that the network policies know."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.k8s.conftest import CHECKOUT, Object
from tests.k8s.test_manifests import PINNED, containers

NAMES = {"app.kubernetes.io/name": "postgres", "app.kubernetes.io/component": "database"}


@pytest.fixture(scope="module")
def objects(kubectl: str, tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """The overlay `ha` with the component on top, as a kustomization of somebody's own has it."""
    folder = tmp_path_factory.mktemp("own").resolve()
    own = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative("overlays/ha", folder)],
        "components": [relative("components/cloudnative-pg", folder)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own))
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def relative(path: str, folder: Path) -> str:
    return os.path.relpath(CHECKOUT / "k8s" / path, folder)


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def test_the_single_server_is_gone_and_its_address_leads_to_the_primary(objects: list[Object]) -> None:
    cluster = of_kind(objects, "Cluster")["postgres"]["spec"]

    assert "postgres" not in of_kind(objects, "StatefulSet") | of_kind(objects, "Service")
    assert [("rw", "postgres")] == [
        (one["selectorType"], one["serviceTemplate"]["metadata"]["name"])
        for one in cluster["managed"]["services"]["additional"]
    ]


def test_all_of_it_is_in_the_namespace_of_the_overlay(objects: list[Object]) -> None:
    outside = [one["metadata"]["name"] for one in objects if one["metadata"].get("namespace") != "capstones"]

    assert ["capstones"] == outside  # the Namespace itself


def test_no_commit_is_answered_that_one_instance_alone_has(objects: list[Object]) -> None:
    cluster = of_kind(objects, "Cluster")["postgres"]["spec"]

    assert {"method": "any", "number": 1, "dataDurability": "required", "failoverQuorum": True} == cluster[
        "postgresql"
    ]["synchronous"]
    assert (3, "required") == (cluster["instances"], cluster["affinity"]["podAntiAffinityType"])


def test_the_policies_and_the_charts_know_its_pods(objects: list[Object]) -> None:
    labels = of_kind(objects, "Cluster")["postgres"]["spec"]["inheritedMetadata"]["labels"]
    values = yaml.safe_load((CHECKOUT / "charts" / "orders" / "values.yaml").read_text())
    egress = values["networkPolicy"]["egress"]["postgres"]
    taken_in = of_kind(objects, "NetworkPolicy")["database-instances"]["spec"]

    assert labels.items() >= NAMES.items()
    assert labels.items() >= egress["podLabels"].items()
    assert taken_in["podSelector"]["matchLabels"].items() <= labels.items()
    assert {"port": egress["port"]} in taken_in["ingress"][0]["ports"]


def test_it_has_the_settings_of_the_single_server(objects: list[Object]) -> None:
    base = yaml.safe_load_all((CHECKOUT / "k8s" / "base" / "postgres.yaml").read_text())
    server = next(each for each in base if each["kind"] == "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    settings = dict(one.split("=", 1) for one in server["args"] if "=" in one and "archive" not in one)
    cluster = of_kind(objects, "Cluster")["postgres"]["spec"]

    assert settings == cluster["postgresql"]["parameters"]
    assert server["resources"] == cluster["resources"]


def test_the_logins_are_made_under_the_restricted_profile(objects: list[Object]) -> None:
    (job,) = of_kind(objects, "Job").values()
    ((_, container),) = containers([job])

    assert container["image"] in PINNED
    assert {"drop": ["ALL"]} == container["securityContext"]["capabilities"]
    assert job["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
