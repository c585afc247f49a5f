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
from conductor.cluster import images

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


def test_only_what_owns_pods_is_marked_with_the_number_of_a_run_and_its_image_is_the_one_that_was_built(
    helm: str, rendered: Callable[[str], list[Object]]
) -> None:
    objects = [each for overlay in OVERLAYS for each in rendered(overlay)]
    objects += rendered_for(helm, "orders", "minimal", "dev", "")
    rolled = {f"{each['kind']}.apps" for each in objects if each["apiVersion"] == "apps/v1"}
    allowed = CONFIGS["platform"]["resourceSelector"]["allow"]

    # Skaffold forgets its own rules for a kind that is named, and does nothing at all to one that is named under `deny`.
    assert [{"image": [".*"], "labels": [".metadata.labels"], "groupKind": kind} for kind in sorted(rolled)] == allowed
    assert ["platform"] == [name for name, config in CONFIGS.items() if "resourceSelector" in config]


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


def sync_rules(capstone: str) -> list[dict[str, str]]:
    """How a changed file comes into the pods."""
    dev = next(each for each in CONFIGS[capstone]["profiles"] if each["name"] == "dev")
    rules: list[dict[str, str]] = next(
        patch["value"]["manual"] for patch in dev["patches"] if patch["path"].endswith("/sync")
    )
    return rules


def pattern(glob: str) -> "re.Pattern[str]":
    """A glob as skaffold reads it (https://github.com/bmatcuk/doublestar): ** is any folders, * stays in one, {a,b} is a choice."""
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|"}
    parts = re.split(r"(\*\*/|\*\*|[*{},])", glob)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


@each_capstone
def test_synced_files_land_where_the_development_image_runs_its_code(capstone: str) -> None:
    image = (CHECKOUT / "services" / "Dockerfile").read_text()

    assert {f"RELOAD_INTO={rule['dest']}" for rule in sync_rules(capstone)} <= set(image.split())


@each_capstone
def test_every_file_is_synced_but_migrations_and_dependencies(capstone: str) -> None:
    services = CHECKOUT / "services"
    found = [file for name in (capstone, "chassis") for file in (services / name).rglob("*") if file.is_file()]
    names = [str(file.relative_to(services)) for file in found if file.suffix not in (".pyc", ".md", ".LICENSE")]
    patterns = [pattern(rule["src"]) for rule in sync_rules(capstone)]
    built = [name for name in names if not any(each.fullmatch(name) for each in patterns)]

    migrations = f"{capstone}/adapters/migrations/"
    assert {"pyproject.toml", migrations} == {
        migrations if name.startswith(migrations) else Path(name).name for name in built
    }


ARTIFACTS: dict[str, dict[str, str]] = {
    artifact["image"].rpartition("/")[2]: artifact["docker"]["buildArgs"]
    for config in CONFIGS.values()
    for artifact in [
        *config.get("build", {}).get("artifacts", []),
        *(
            patch["value"]
            for profile in config.get("profiles", [])
            for patch in profile.get("patches", [])
            if patch["path"] == "/build/artifacts/-"
        ),
    ]
}


def copied(arguments: dict[str, str]) -> set[str]:
    """What an image copies of `services/`, and what skaffold therefore watches to build it."""
    text = (CHECKOUT / "services" / "Dockerfile").read_text()
    known = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE)) | arguments
    sources = re.findall(r"^COPY (?!--from)(\S+) \S+$", text, re.MULTILINE)
    assert len(sources) == len(re.findall(r"^(?:COPY|ADD) (?!--from)", text, re.MULTILINE))
    sources = [re.sub(r"\$\{\w+:-(\$\{\w+\})\}", r"\1", source) for source in sources]
    return {re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], source) for source in sources}


@pytest.mark.parametrize("service", ARTIFACTS)
def test_an_edit_builds_the_images_that_hold_it_and_no_other(service: str) -> None:
    project = (CHECKOUT / "services" / service / "pyproject.toml").read_text()
    own = {service, "chassis"} if re.search(r'"chassis["[]', project) else {service}

    assert {*own, f"image/requirements/{service}.txt", "image/lean.py", "image/reload"} == copied(ARTIFACTS[service])
    assert own == {service, images.library(service)}
