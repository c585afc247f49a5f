"""One release by helm: what it was told, and another version or other settings of it."""

import json
from collections.abc import Mapping
from typing import Any

from conductor.cluster.kubectl import run
from conductor.cluster.names import Names

MIGRATED = "--no-hooks"
"""To helm: the upgrade just before brought the schema to where it must be."""


def upgrade(
    namespace: str,
    own: Names,
    *settings: str,
    values: Mapping[str, object] | None = None,
    within_seconds: int,
    release: str | None = None,
    migrated: bool = False,
) -> None:
    """Change these `key=value`, texts all, of a release, blue by default, and nothing else, and wait until its pools are ready.

    What an older chart did not know yet is taken from this one's defaults. With `values` the release is told these and nothing it was
    told before. The schema is brought to where the image needs it first, unless that is done.
    """
    told = [part for setting in settings for part in ("--set-string", setting)]
    kept = ("--reset-then-reuse-values",) if values is None else ("--reset-values", "--values", "-")
    where = ("--namespace", namespace, *kept)
    argv = [
        "helm",
        "upgrade",
        release or own.release,
        str(own.chart),
        *where,
        *told,
        "--wait",
        "--timeout",
        f"{within_seconds}s",
    ]
    argv += [MIGRATED] if migrated else []
    run(argv, given=None if values is None else json.dumps(values))


def tag_of(namespace: str, release: str) -> str:
    """The version of the release, or nothing where there is none."""
    listed = run(["helm", "list", "--namespace", namespace, "--filter", f"^{release}$", "--output", "json"])
    return str(values_of(namespace, release).get("image", {}).get("tag", "")) if json.loads(listed) else ""


def values_of(namespace: str, release: str) -> dict[str, Any]:
    """What the release was told."""
    said = run(["helm", "get", "values", release, "--namespace", namespace, "--output", "json"])
    return json.loads(said) or {}
