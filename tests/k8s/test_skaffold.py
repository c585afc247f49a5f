"""skaffold.yaml, as data: order, images, and files that are there."""

from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIGS: dict[str, Any] = {
    each["metadata"]["name"]: each for each in yaml.safe_load_all((CHECKOUT / "skaffold.yaml").read_text())
}


def values_of(profile: Any) -> list[str]:
    return [
        file for patch in profile.get("patches", []) if patch["path"].endswith("valuesFiles") for file in patch["value"]
    ]


def test_every_module_is_of_the_same_schema() -> None:
    assert {"skaffold/v4beta14"} == {each["apiVersion"] for each in CONFIGS.values()}


def test_the_platform_comes_before_the_orders() -> None:
    assert ["platform"] == [name for needed in CONFIGS["orders"]["requires"] for name in needed["configs"]]


def test_the_secrets_come_before_the_platform() -> None:
    before = CONFIGS["platform"]["deploy"]["kubectl"]["hooks"]["before"]

    assert ["make", "secrets"] == before[0]["host"]["command"]


def test_the_image_that_is_built_is_the_one_that_is_deployed() -> None:
    artifact = CONFIGS["orders"]["build"]["artifacts"][0]["image"]
    key = artifact.replace("-", "_").replace("/", "_")
    templates = CONFIGS["orders"]["deploy"]["helm"]["releases"][0]["setValueTemplates"]

    expected = {"image.repository": f"{{{{.IMAGE_REPO_{key}}}}}", "image.tag": f"{{{{.IMAGE_TAG_{key}}}}}"}
    assert expected == {name: templates[name] for name in expected}


def test_the_image_key_is_one_that_the_chart_reads() -> None:
    templates = "".join(path.read_text() for path in (CHECKOUT / "charts" / "celery-app" / "templates").glob("*.tpl"))

    assert ".Values.image.repository" in templates
    assert ".Values.image" in templates


def test_the_platforms_image_is_one_that_its_manifests_name() -> None:
    artifacts = [artifact["image"] for artifact in CONFIGS["platform"]["build"]["artifacts"]]
    manifests = "".join(path.read_text() for path in (CHECKOUT / "k8s" / "base").glob("*.yaml"))

    assert [] == [image for image in artifacts if f"image: {image}" not in manifests]


def test_every_artifact_says_which_service_it_is() -> None:
    built = {
        artifact["image"].rpartition("/")[2]: artifact["docker"]["buildArgs"]["SERVICE"]
        for config in CONFIGS.values()
        for artifact in config["build"]["artifacts"]
    }

    assert all(image == service for image, service in built.items())


def test_every_overlay_and_values_file_is_there() -> None:
    named = list(CONFIGS["platform"]["manifests"]["kustomize"]["paths"])
    for config in CONFIGS.values():
        for profile in config.get("profiles", []):
            named += profile.get("manifests", {}).get("kustomize", {}).get("paths", []) + values_of(profile)

    assert [] == [name for name in named if not (CHECKOUT / name).exists()]


def test_a_profile_of_the_orders_that_the_platform_has_too_is_handed_on() -> None:
    shared = {each["name"] for each in CONFIGS["orders"]["profiles"]} & {
        each["name"] for each in CONFIGS["platform"]["profiles"]
    }
    handed = {each["name"] for each in CONFIGS["orders"]["requires"][0]["activeProfiles"]}

    assert shared == handed


def test_only_the_development_profile_can_write_its_code() -> None:
    profiles = {
        each["name"]: {patch["path"].rpartition("/")[2]: patch["value"] for patch in each.get("patches", [])}
        for each in CONFIGS["orders"]["profiles"]
    }

    assert ["dev"] == [
        name for name, patches in profiles.items() if "sync" in patches or patches.get("target") == "dev"
    ]
    assert "sync" not in CONFIGS["orders"]["build"]["artifacts"][0]


def test_synced_files_land_where_the_development_image_runs_its_code() -> None:
    image = (CHECKOUT / "services" / "Dockerfile").read_text()
    dev = next(each for each in CONFIGS["orders"]["profiles"] if each["name"] == "dev")
    rules = next(patch["value"]["manual"] for patch in dev["patches"] if patch["path"].endswith("/sync"))

    assert {f"RELOAD_INTO={rule['dest']}" for rule in rules} <= set(image.split())
