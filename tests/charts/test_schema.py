"""The committed schema is the one that the models give, and what it takes is what the service and the laptop runtime read."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart_rendering import CHARTS, NAMES, Helm, only
from conductor import pools

sys.path.insert(0, str(CHARTS))

import schemas
from schema_parts import is_secret

SCHEMAS = {chart: json.loads((CHARTS / chart / "values.schema.json").read_text()) for chart in schemas.CHARTS}
OFFERED = {chart: schema["$defs"]["Settings"]["properties"] for chart, schema in SCHEMAS.items()}
SETTINGS = [(chart, name) for chart, offered in OFFERED.items() for name in offered]
SHARED_SECRETS = ("databaseUrl", "brokerUrl", "storeUrl", "apiTokens")
SECRETS = {
    "orders": (*SHARED_SECRETS, "carrierSecret"),
    "analytics": (*SHARED_SECRETS, "countersUrl", "recommendationsUrl"),
    "trading": SHARED_SECRETS,
}

AS_KUBERNETES_TAKES_IT = frozenset(
    {
        "dnsConfig", "extraContainers", "extraEnv", "extraEnvFrom", "extraInitContainers", "extraVolumeMounts", "extraVolumes",
        "hostAliases", "lifecycle", "liveness", "metrics", "nodeAffinity", "podAffinity", "podAntiAffinity", "podSecurityContext",
        "readiness", "rules", "securityContext", "startup", "topologySpreadConstraints", "triggers", "updateStrategy",
        "volumeClaimTemplates",
    }
)  # fmt: skip
"""Keys below which Kubernetes, Prometheus or KEDA check what stands there."""

each_chart = pytest.mark.parametrize("chart", NAMES)


def objects(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that describes an object, with its path."""
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield path, part
        for key, below in part.items():
            yield from objects(below, f"{path}/{key}")


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def test_every_chart_has_a_schema() -> None:
    assert set(NAMES) == set(schemas.CHARTS) == set(SECRETS)


@each_chart
def test_the_committed_schema_is_what_the_models_give(chart: str) -> None:
    for name in (chart, schemas.LIBRARY):
        committed = (CHARTS / name / "values.schema.json").read_text()

        assert committed == schemas.schema_of(name), "write it anew: python charts/schemas.py"


def test_the_template_of_the_script_is_what_the_script_gives() -> None:
    committed = (CHARTS / schemas.LIBRARY / "templates" / "_runtime.tpl").read_text()

    assert committed == schemas.runtime_template(), "write it anew: python charts/schemas.py"


@each_chart
def test_no_object_takes_a_key_that_nobody_knows(chart: str) -> None:
    loose = [
        path
        for path, part in objects(SCHEMAS[chart])
        if part.get("additionalProperties", True) is True
        and path.rpartition("/")[2] not in AS_KUBERNETES_TAKES_IT
        and path.removesuffix("/items").rpartition("/")[2] not in AS_KUBERNETES_TAKES_IT
        and path not in ("/properties/celery-app", "/properties/global")
    ]

    assert [] == loose


@pytest.mark.parametrize(("chart", "name"), [(chart, name) for chart, names in SECRETS.items() for name in names])
def test_what_is_secret_is_no_value(chart: str, name: str) -> None:
    assert is_secret(schemas.CHARTS[chart].model_fields[snake(name)])
    assert name not in OFFERED[chart]


@each_chart
def test_every_other_setting_is_offered_or_decided_by_the_chart(chart: str) -> None:
    left = {snake(name) for name in (*OFFERED[chart], *SECRETS[chart])} | schemas.DECIDED

    assert set(schemas.CHARTS[chart].model_fields) <= left


@pytest.mark.parametrize(("chart", "name"), SETTINGS)
def test_a_setting_reaches_the_service_under_its_name(helm: Helm, chart: str, name: str) -> None:
    every = {offered: _example(said) for offered, said in OFFERED[chart].items()}

    settings = only(helm.render(f"{chart}/", values={"settings": every}), "ConfigMap", f"{chart}-settings")

    assert _as_text(every[name]) == settings["data"][snake(name).upper()]
    assert snake(name) in schemas.CHARTS[chart].model_fields


@pytest.mark.parametrize(("chart", "name"), SETTINGS)
def test_a_setting_says_what_it_is(chart: str, name: str) -> None:
    assert OFFERED[chart][name]["description"]


def _example(said: Any) -> Any:
    """A value that fits; numbers are large where they may be, so that none is written as 1e+06."""
    if "enum" in said:
        return said["enum"][0]
    if said["type"] == "boolean":
        return not said.get("default", False)
    if said["type"] == "integer":
        large = 1_234_567 // said.get("multipleOf", 1) * said.get("multipleOf", 1)
        return min(large, said.get("maximum", large))
    if said["type"] == "number":
        return said["maximum"] - 0.5 if "maximum" in said else 1_234_567.5
    return "http://example.test:1/"


@each_chart
def test_a_pool_says_the_same_to_laptop_and_cluster(chart: str) -> None:
    cluster = set(SCHEMAS[chart]["$defs"]["Pool"]["properties"])
    laptop = {field.alias for field in pools.Pool.model_fields.values()} - {"name"}

    assert cluster == laptop | pools.CLUSTER_KEYS


@each_chart
def test_the_laptop_knows_every_key_of_a_values_file(chart: str) -> None:
    assert set(SCHEMAS[chart]["properties"]) - {"celery-app", "global"} == pools.CHART_KEYS | {"defaults", "pools"}


@each_chart
def test_every_key_of_the_schema_has_a_value(chart: str) -> None:
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    library = yaml.safe_load((CHARTS / schemas.LIBRARY / "values.yaml").read_text())

    assert set(SCHEMAS[chart]["properties"]) - {"celery-app", "global"} == {*values, *library}


@pytest.mark.parametrize("where", ["Defaults", "Autoscaling", "Monitoring", "NetworkPolicy", "Ingress", "Route", "Api"])
def test_every_key_of_the_library_s_schema_has_a_value(where: str) -> None:
    values = yaml.safe_load((CHARTS / schemas.LIBRARY / "values.yaml").read_text())
    found = {
        "Defaults": values["defaults"],
        "Autoscaling": values["defaults"]["autoscaling"],
        "Monitoring": values["monitoring"],
        "NetworkPolicy": values["networkPolicy"],
        "Ingress": values["api"]["ingress"],
        "Route": values["api"]["route"],
        "Api": values["api"],
    }[where]
    schema = json.loads((CHARTS / schemas.LIBRARY / "values.schema.json").read_text())["$defs"][where]["properties"]

    optional = {"concurrency", "maxTasksPerChild", "maxMemoryPerChildKib"} if where == "Defaults" else set()
    assert set(schema) - optional == set(found)


@each_chart
def test_no_key_of_the_values_has_no_comment(chart: str) -> None:
    lines = (CHARTS / chart / "values.yaml").read_text().splitlines()
    top = [number for number, line in enumerate(lines) if line and line[0].isalpha()]

    assert [] == [
        lines[number] for number in top if not lines[number - 1].startswith("#") and lines[number] != "pools:"
    ]


@each_chart
def test_the_defaults_hold_every_key_that_the_templates_read(helm: Helm, chart: str) -> None:
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    plain = {
        name: {"role": own["role"], "queues": own.get("queues", []), "concurrency": 1}
        for name, own in values["pools"].items()
    }
    alone = {**dict.fromkeys(values["pools"]), **{f"{name}-x": own for name, own in plain.items()}}

    assert helm.render(f"{chart}/", values={"pools": alone})


def _as_text(value: Any) -> str:
    """As Helm writes a value into an environment variable."""
    return str(value).lower() if isinstance(value, bool) else str(value)
