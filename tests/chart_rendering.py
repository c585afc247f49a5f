"""Renders the charts with Helm 3 and 4, once for each set of values in a session."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parent.parent
CHARTS = CHECKOUT / "charts"
ORDERS = CHARTS / "orders"
NAMES = tuple(sorted(path.parent.parent.name for path in CHARTS.glob("*/templates/app.yaml")))
"""The charts of services, found by their folders."""
RENDERED = (*NAMES, "example", "lab")
"""All charts that make objects: also the example, which stands for a chart of somebody who has no capstone, and that of labs."""
CI_VALUES = tuple(sorted(path for name in RENDERED for path in (CHARTS / name / "ci").glob("*-values.yaml")))
VARIANTS = tuple(f"{path.parent.parent.name}/{path.name.removesuffix('-values.yaml')}" for path in CI_VALUES)
"""Each values file of a ci folder, as CHART/NAME."""
Object = dict[str, Any]


def install_tools() -> Path:
    """The folder with `helm`, `helm3` and `kubectl`. Raises OSError or CalledProcessError when they cannot be had."""
    sys.path.insert(0, str(CHECKOUT / "scripts"))
    import tools

    return Path(tools.install())


@dataclass
class Helm:
    """One version of Helm. `render` and `refusal` take values files of a chart's ci/ by their short names.

    A name may be CHART/NAME, for a chart that lies beside `chart`; CHART/ alone is that chart's own values.
    """

    program: Path
    chart: Path = ORDERS
    _done: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)

    def run(self, *arguments: str, values: str = "") -> subprocess.CompletedProcess[str]:
        """Helm's own answer; `values` is what it reads from its standard input."""
        key = json.dumps([*arguments, values])
        if key not in self._done:
            self._done[key] = subprocess.run(
                [self.program, *arguments],
                input=values,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
                env={**os.environ, "GOGC": "off"},  # it ends before collecting would pay: a third less CPU
            )
        return self._done[key]

    def template(
        self, *names: str, values: Any = None, release: str | None = None, namespace: str = "capstones"
    ) -> subprocess.CompletedProcess[str]:
        """`helm template` with the named values files and, over them, `values`. The release has the chart's name unless one is given."""
        asked = [name.rpartition("/") for name in names]
        chart = self.chart.parent / (next((of for of, _, _ in asked if of), "") or self.chart.name)
        files = [word for _, _, name in asked if name for word in ("--values", f"{chart}/ci/{name}-values.yaml")]
        line = ["template", release or chart.name, str(chart), "--namespace", namespace, *files, "--values", "-"]
        return self.run(*line, values=json.dumps(values or {}))

    def render(self, *names: str, values: Any = None, release: str | None = None) -> list[Object]:
        """The objects, in Helm's order."""
        done = self.template(*names, values=values, release=release)
        assert done.returncode == 0, done.stderr
        return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]

    def refusal(self, values: Any, *names: str) -> str:
        """What Helm says about values that it refuses."""
        done = self.template(*names, values=values)
        assert done.returncode != 0, "it was rendered"
        return done.stderr


def found(objects: list[Object], kind: str, name: str | None = None) -> list[Object]:
    """The objects of a kind, and of a name where one is given."""
    return [one for one in objects if one["kind"] == kind and name in (None, one["metadata"]["name"])]


def only(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (one,) = found(objects, kind, name)
    return one


def pod_of(workload: Object) -> Object:
    """The pod's specification of a Deployment, StatefulSet, Job or CronJob."""
    job: Object = workload["spec"].get("jobTemplate", workload)
    spec: Object = job["spec"]["template"]["spec"]
    return spec


def container_of(workload: Object) -> Object:
    """The one container that runs for good."""
    (one,) = pod_of(workload)["containers"]
    return dict(one)


def at(value: Any, path: str) -> Any:
    """What stands at a path like `spec/template/spec/containers/0/name`; None where there is nothing."""
    for step in path.split("/"):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step.replace("~1", "/")) if value else None
    return value
