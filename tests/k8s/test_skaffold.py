"""skaffold.yaml, as data, and what skaffold gives to Helm and kubectl because of it.

Sources: https://skaffold.dev/docs/deployers/helm/, https://skaffold.dev/docs/filesync/,
https://skaffold.dev/docs/tutorials/skaffold-resource-selector/.
"""

import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.k8s.conftest import OVERLAYS, Object

from chart_rendering import pod_of

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIGS: dict[str, Any] = {
    each["metadata"]["name"]: each for each in yaml.safe_load_all((CHECKOUT / "skaffold.yaml").read_text())
}


CAPSTONES = [name for name, config in CONFIGS.items() if "helm" in config["deploy"]]
PROFILES = [(name, each["name"]) for name in CAPSTONES for each in CONFIGS[name]["profiles"]]
DIGEST = "sha256:" + 64 * "0"

each_capstone = pytest.mark.parametrize("capstone", CAPSTONES)


def with_profile(capstone: str, name: str) -> Any:
    """The module of a capstone with one profile's patches."""
    config = deepcopy(CONFIGS[capstone])
    for profile in config.pop("profiles"):
        for patch in profile.get("patches", []) if profile["name"] == name else []:
            assert "add" == patch["op"]
            place, *way = config, *patch["path"].strip("/").split("/")
            for step in way[:-1]:
                place = place[int(step) if isinstance(place, list) else step]
            place[way[-1]] = patch["value"]
    return config


def rendered_for(helm: str, capstone: str, profile: str, tag: str, digest: str) -> list[Object]:
    """The chart as skaffold has it rendered; it cuts off the @ that no digest follows."""
    release = with_profile(capstone, profile)["deploy"]["helm"]["releases"][0]
    built = {"REPO": f"registry:5000/{capstone}", "TAG": tag, "DIGEST": digest}
    line = [helm, "template", release["name"], str(CHECKOUT / release["chartPath"])]
    for key, template in release["setValueTemplates"].items():
        pattern = rf"{{{{\.IMAGE_([A-Z]+)_celery_capstones_{capstone}}}}}"
        value = re.sub(pattern, lambda found: built[found[1]], template)
        line += ["--set", f"{key}={value.removesuffix('@')}"]
    for file in release.get("valuesFiles", []):
        line += ["--values", str(CHECKOUT / file)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return [each for each in yaml.load_all(done.stdout, yaml.CSafeLoader) if each]


def values_of(profile: Any) -> list[str]:
    return [
        file for patch in profile.get("patches", []) if patch["path"].endswith("valuesFiles") for file in patch["value"]
    ]


def test_every_module_is_of_the_same_schema() -> None:
    assert {"skaffold/v4beta14"} == {each["apiVersion"] for each in CONFIGS.values()}


@each_capstone
def test_the_platform_comes_before_a_capstone(capstone: str) -> None:
    assert "platform" == next(name for needed in CONFIGS[capstone]["requires"] for name in needed["configs"])


def test_the_store_of_the_counters_comes_before_who_waits_for_it() -> None:
    needed = [name for needed in CONFIGS["analytics"]["requires"] for name in needed["configs"]]

    assert ["platform", "counters"] == needed
    assert ["k8s/analytics"] == CONFIGS["counters"]["manifests"]["kustomize"]["paths"]


def test_the_secrets_come_before_the_platform() -> None:
    before = CONFIGS["platform"]["deploy"]["kubectl"]["hooks"]["before"]

    assert ["make", "secrets"] == before[0]["host"]["command"]


@pytest.mark.parametrize(("capstone", "profile"), PROFILES)
def test_every_pod_has_exactly_the_image_that_was_pushed(helm: str, capstone: str, profile: str) -> None:
    objects = rendered_for(helm, capstone, profile, "dev", DIGEST)
    pods = [pod_of(each) for each in objects if "template" in each.get("spec", {})]
    images = {each["image"] for pod in pods for each in pod["containers"] + pod.get("initContainers", [])}

    assert {f"registry:5000/{capstone}:dev@{DIGEST}"} == images


@each_capstone
def test_an_image_that_was_only_loaded_has_a_tag_and_no_digest(helm: str, capstone: str) -> None:
    objects = rendered_for(helm, capstone, "dev", 64 * "f", "")
    images = {pod_of(each)["containers"][0]["image"] for each in objects if each["kind"] == "Deployment"}

    assert {f"registry:5000/{capstone}:" + 64 * "f"} == images


def test_a_commit_that_changes_nothing_in_an_image_does_not_rename_it() -> None:
    policies = [config["build"]["tagPolicy"] for config in CONFIGS.values() if "build" in config]

    assert [{"envTemplate": {"template": "dev"}}] * (len(CAPSTONES) + 1) == policies


@each_capstone
def test_helm_waits_for_as_long_as_a_migration_may_take(capstone: str) -> None:
    values = yaml.safe_load((CHECKOUT / "charts" / capstone / "values.yaml").read_text())
    flag = f"--timeout={values['migration']['deadlineSeconds'] // 60}m"

    assert {"install": [flag], "upgrade": [flag]} == CONFIGS[capstone]["deploy"]["helm"]["flags"]


def test_pods_are_not_marked_with_the_number_of_a_run(helm: str, rendered: Callable[[str], list[Object]]) -> None:
    objects = [each for overlay in OVERLAYS for each in rendered(overlay)]
    objects += rendered_for(helm, "orders", "minimal", "dev", "")
    rolled = {f"{each['kind']}.apps" for each in objects if each["apiVersion"] == "apps/v1"}
    denied = {each["groupKind"]: each["labels"] for each in CONFIGS["platform"]["resourceSelector"]["deny"]}

    assert rolled == {kind for kind, paths in denied.items() if ".spec.template.metadata.labels" in paths}


@pytest.mark.parametrize("module", ["platform", "counters"])
def test_claims_are_left_alone_since_they_cannot_be_changed(module: str) -> None:
    denied = {each["groupKind"]: each["labels"] for each in CONFIGS[module]["resourceSelector"]["deny"]}

    assert ".spec.template.metadata.labels" in denied["StatefulSet.apps"]
    assert ".spec.volumeClaimTemplates.*.metadata.labels" in denied["StatefulSet.apps"]


def test_deleting_leaves_the_namespace_and_what_was_stored(rendered: Callable[[str], list[Object]]) -> None:
    (flag,) = CONFIGS["platform"]["deploy"]["kubectl"]["flags"]["delete"]
    mark, backup = flag.removeprefix("--selector=").split(",")
    key, _, value = backup.partition("!=")
    marks = [(each["kind"], each["metadata"]["labels"]) for overlay in OVERLAYS for each in rendered(overlay)]
    spared = {kind for kind, labels in marks if mark.removeprefix("!") in labels or labels.get(key) == value}

    assert {"Namespace", "PersistentVolumeClaim"} == spared


def test_the_platforms_image_is_one_that_its_manifests_name() -> None:
    artifacts = [artifact["image"] for artifact in CONFIGS["platform"]["build"]["artifacts"]]
    manifests = "".join(path.read_text() for path in (CHECKOUT / "k8s" / "base").glob("*.yaml"))

    assert [] == [image for image in artifacts if f"image: {image}" not in manifests]


def test_every_artifact_says_which_service_it_is() -> None:
    built = {
        artifact["image"].rpartition("/")[2]: artifact["docker"]["buildArgs"]["SERVICE"]
        for config in CONFIGS.values()
        for artifact in config.get("build", {}).get("artifacts", [])
    }

    assert all(image == service for image, service in built.items())


def test_every_overlay_and_values_file_is_there() -> None:
    named = list(CONFIGS["platform"]["manifests"]["kustomize"]["paths"])
    for config in CONFIGS.values():
        for profile in config.get("profiles", []):
            named += profile.get("manifests", {}).get("kustomize", {}).get("paths", []) + values_of(profile)

    assert [] == [name for name in named if not (CHECKOUT / name).exists()]


@each_capstone
def test_a_profile_of_a_capstone_that_the_platform_has_too_is_handed_on(capstone: str) -> None:
    shared = {each["name"] for each in CONFIGS[capstone]["profiles"]} & {
        each["name"] for each in CONFIGS["platform"]["profiles"]
    }
    handed = {each["name"] for each in CONFIGS[capstone]["requires"][0]["activeProfiles"]}

    assert shared == handed


@each_capstone
def test_only_the_development_profile_can_write_its_code(capstone: str) -> None:
    profiles = {
        each["name"]: {patch["path"].rpartition("/")[2]: patch["value"] for patch in each.get("patches", [])}
        for each in CONFIGS[capstone]["profiles"]
    }

    assert ["dev"] == [
        name for name, patches in profiles.items() if "sync" in patches or patches.get("target") == "dev"
    ]
    assert "sync" not in CONFIGS[capstone]["build"]["artifacts"][0]


@each_capstone
def test_synced_files_land_where_the_development_image_runs_its_code(capstone: str) -> None:
    image = (CHECKOUT / "services" / "Dockerfile").read_text()
    dev = next(each for each in CONFIGS[capstone]["profiles"] if each["name"] == "dev")
    rules = next(patch["value"]["manual"] for patch in dev["patches"] if patch["path"].endswith("/sync"))

    assert {f"RELOAD_INTO={rule['dest']}" for rule in rules} <= set(image.split())
