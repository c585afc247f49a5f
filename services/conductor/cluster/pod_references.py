"""What the pods of a namespace's workloads cannot start without: the ConfigMaps and ServiceAccounts that their templates name."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from conductor.cluster.kubectl import Kubectl

WORKLOADS = ("deployments", "statefulsets", "cronjobs", "jobs")
CONFIG_MAPS = ("configMap", "configMapRef", "configMapKeyRef")
"""Where a pod names one: as a volume or a part of one, as variables, as one variable."""


def of_workloads(kubectl: Kubectl, *, without: Collection[str]) -> set[str]:
    """As `kind/name`, with the workloads `without` left out; these are `KIND.GROUP/NAME`, as kubectl names them."""
    found = json.loads(kubectl("get", ",".join(WORKLOADS), "--output", "json"))["items"]
    return {name for each in found if _name(each) not in without for name in _named(_template(each))}


def _name(workload: Mapping[str, Any]) -> str:
    group = workload["apiVersion"].partition("/")[0]
    return f"{workload['kind'].lower()}.{group}/{workload['metadata']['name']}"


def _template(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = workload["spec"]
    found: Mapping[str, Any] = (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]
    return found


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _named(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in CONFIG_MAPS and isinstance(value, dict) and "name" in value:
                yield f"configmap/{value['name']}"
            elif key == "serviceAccountName":
                yield f"serviceaccount/{value}"
            else:
                yield from _named(value)
