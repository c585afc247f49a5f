"""The committed schema is the one that the models give, and what it takes is what the service and the laptop runtime read."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart_rendering import CHARTS, ORDERS, Helm, only
from conductor import pools
from orders.settings import Settings

sys.path.insert(0, str(CHARTS))

import schemas
from schema_parts import is_secret

SCHEMA = json.loads((ORDERS / "values.schema.json").read_text())
OFFERED = tuple(SCHEMA["$defs"]["Settings"]["properties"])
SECRETS = ("databaseUrl", "brokerUrl", "storeUrl", "carrierSecret", "apiTokens")


def objects(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that describes an object, with its path."""
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield path, part
        for key, below in part.items():
            yield from objects(below, f"{path}/{key}")


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@pytest.mark.parametrize("chart", schemas.CHARTS)
def test_the_committed_schema_is_what_the_models_give(chart: str) -> None:
    committed = (CHARTS / chart / "values.schema.json").read_text()

    assert committed == schemas.schema_of(chart), "write it anew: python charts/schemas.py"


def test_no_object_takes_a_key_that_nobody_knows() -> None:
    loose = [
        path
        for path, part in objects(SCHEMA)
        if part.get("additionalProperties", True) is True
        and "Affinity" not in path  # as Kubernetes takes it
        and path not in ("/properties/celery-app", "/properties/global")
    ]

    assert [] == loose


@pytest.mark.parametrize("name", SECRETS)
def test_what_is_secret_is_no_value(name: str) -> None:
    assert is_secret(Settings.model_fields[snake(name)])
    assert name not in OFFERED


def test_every_other_setting_is_offered_or_decided_by_the_chart() -> None:
    left = {snake(name) for name in (*OFFERED, *SECRETS)} | schemas.DECIDED

    assert set(Settings.model_fields) == left & set(Settings.model_fields)


@pytest.mark.parametrize("name", OFFERED)
def test_a_setting_reaches_the_service_under_its_name(helm: Helm, name: str) -> None:
    every = {offered: _example(offered) for offered in OFFERED}

    settings = only(helm.render(values={"settings": every}), "ConfigMap", "orders-settings")

    assert str(_example(name)) == settings["data"][snake(name).upper()]
    assert snake(name) in Settings.model_fields


@pytest.mark.parametrize("name", OFFERED)
def test_a_setting_says_what_it_is(name: str) -> None:
    assert SCHEMA["$defs"]["Settings"]["properties"][name]["description"]


def _example(name: str) -> Any:
    """A value that fits; numbers are large where they may be, so that none is written as 1e+06."""
    said = SCHEMA["$defs"]["Settings"]["properties"][name]
    if "enum" in said:
        return said["enum"][0]
    if said["type"] == "integer":
        return min(1_234_567, said.get("maximum", 1_234_567))
    if said["type"] == "number":
        return said["maximum"] - 0.5 if "maximum" in said else 1_234_567.5
    return "http://example.test:1/"


def test_a_pool_says_the_same_to_laptop_and_cluster() -> None:
    cluster = set(SCHEMA["$defs"]["Pool"]["properties"])
    laptop = {field.alias for field in pools.Pool.model_fields.values()} - {"name"}

    assert cluster == laptop | pools.CLUSTER_KEYS


def test_the_laptop_knows_every_key_of_a_values_file() -> None:
    assert set(SCHEMA["properties"]) - {"celery-app", "global"} == pools.CHART_KEYS | {"defaults", "pools"}


def test_no_key_of_the_values_has_no_comment() -> None:
    lines = (ORDERS / "values.yaml").read_text().splitlines()
    top = [number for number, line in enumerate(lines) if line and line[0].isalpha()]

    assert [] == [
        lines[number] for number in top if not lines[number - 1].startswith("#") and lines[number] != "pools:"
    ]


def test_the_defaults_hold_every_key_that_the_templates_read(helm: Helm) -> None:
    values = yaml.safe_load((ORDERS / "values.yaml").read_text())
    plain = {
        name: {"role": own["role"], "queues": own.get("queues", []), "concurrency": 1}
        for name, own in values["pools"].items()
    }
    alone = {**dict.fromkeys(values["pools"]), **{f"{name}-x": own for name, own in plain.items()}}

    assert helm.render(values={"pools": alone})
