"""What a chart says of its pools for a cluster only: the ports that they listen on, and where their volumes are. It only reads."""

from collections.abc import Iterator
from typing import Any

import yaml

from conductor.cluster.names import Names


def ports(own: Names) -> dict[str, tuple[str, int]]:
    """Service and port of what the pools listen on besides the API's, by the port's name."""
    return {
        name: (f"{own.release}-{pool}", int(it["port"]))
        for pool, values in _pools(own)
        for name, it in (values.get("ports") or {}).items()
    }


def folders(own: Names) -> dict[str, str]:
    """Where the pods of a pool have their volume, by pool; of those that have one."""
    return {
        pool: str(mount["mountPath"])
        for pool, values in _pools(own)
        for claim in values.get("volumeClaimTemplates") or ()
        for mount in values["extraVolumeMounts"]
        if mount["name"] == claim["metadata"]["name"]
    }


def _pools(own: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, values in yaml.safe_load((own.chart / "values.yaml").read_text())["pools"].items():
        yield name, values or {}
