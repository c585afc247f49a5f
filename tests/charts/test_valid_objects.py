"""Every object is one that the API server takes: Kubernetes' own by its published schemas, others by those of their CRDs.

Those are in crds/: KEDA's of its 2.21, the monitors' of the Prometheus operator's 0.80. The Gateway API's are not there.
"""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import golden
import jsonschema
import pytest
from kubernetes_validate import utils as kubernetes

from chart_rendering import Helm, found

CRDS = Path(__file__).parent / "crds"
OLDEST_MINOR = 33
OTHERS = ("monitoring.coreos.com/", "gateway.networking.k8s.io/")
MINORS = sorted(
    {
        ".".join(version.split(".")[:2])
        for version in kubernetes.all_versions()
        if int(version.split(".")[1]) >= OLDEST_MINOR
    }
)


schema_contents = cache(kubernetes.schema_contents)


@cache
def schema_of(file: str) -> Any:
    """The JSON schema in a file of crds/."""
    return json.loads((CRDS / file).read_text())


@pytest.fixture(autouse=True)
def _each_schema_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads megabytes for every object otherwise."""
    monkeypatch.setattr(kubernetes, "schema_contents", schema_contents)


def test_there_is_more_than_one_minor_to_be_valid_for() -> None:
    assert {"1.33", "1.34", "1.35"} <= set(MINORS)


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("name", golden.NAMES)
def test_every_object_is_valid_for_this_minor(helm: Helm, name: str, minor: str) -> None:
    for one in helm.render(name):
        if not one["apiVersion"].startswith((*OTHERS, "keda.sh/")):
            kubernetes.validate(one, minor, strict=True)


SCALED = ("analytics/autoscaled", "orders/autoscaled", "orders/dedicated")


@pytest.mark.parametrize("name", SCALED)
def test_what_keda_reads_is_valid(helm: Helm, name: str) -> None:
    objects = [one for one in helm.render(name) if one["apiVersion"].startswith("keda.sh/")]

    assert {"ScaledObject", "TriggerAuthentication"} == {one["kind"] for one in objects}
    for one in objects:
        jsonschema.validate(one, schema_of(f"{one['kind'].lower()}-keda-v1alpha1.json"))


def test_what_the_prometheus_operator_reads_is_valid(helm: Helm) -> None:
    monitors = found(helm.render("dedicated"), "PodMonitor")

    assert 1 == len(monitors)
    for one in monitors:
        jsonschema.validate(one, schema_of("podmonitor-monitoring-v1.json"))


@pytest.mark.parametrize("name", SCALED)
def test_kubeconform_agrees_about_what_keda_reads(helm: Helm, name: str) -> None:
    kubeconform = shutil.which("kubeconform")
    if kubeconform is None:
        pytest.skip("kubeconform is not on the PATH; the test above reads the same schemas")
    objects = "---\n".join(json.dumps(one) + "\n" for one in helm.render(name) if "keda" in one["apiVersion"])
    place = str(CRDS / "{{.ResourceKind}}{{.KindSuffix}}.json")

    done = subprocess.run(
        [kubeconform, "-strict", "-schema-location", place, "-summary"], input=objects, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Errors: 0, Skipped: 0" in done.stdout
