"""Looks at what grading needs: servers, the box, the gradebook, the labs themselves."""

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from conductor.laptop.servers import rabbitmq
from grader.adapters import box, confining
from grader.adapters.valkey import Valkey
from grader.catalog import Catalog
from grader.errors import LabError, Unable
from grader.progress import Progress


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; without a `needed` one no lab can be checked."""

    what: str
    fine: bool
    needed: bool
    said: str


def examined(work: Path) -> list[Finding]:
    """All findings; `work` is the folder of the workspaces."""
    return [
        Finding("python", True, True, f"{platform.python_version()}, celery {version('celery')}"),
        _tried("valkey", _valkey),
        _tried("gradebook", lambda: f"{len(Progress(work).events())} events, the chain holds"),
        _tried("labs", _labs),
        _rabbitmq(),
        _box(),
    ]


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, True, look())
    except LabError as error:
        return Finding(what, False, True, str(error))


def _valkey() -> str:
    with tempfile.TemporaryDirectory(prefix="capstone-lab-") as directory:
        valkey = Valkey(Path(directory))
        try:
            with valkey.client() as client:
                info = client.info("server")
        finally:
            valkey.end()
    if not isinstance(info, dict):
        raise Unable(f"it answers INFO with {info!r}")
    return f"starts, {info.get('valkey_version', info.get('redis_version'))}"


def _labs() -> str:
    catalog = Catalog()
    return f"{len([catalog.lab(slug) for slug in catalog.slugs()])} can be read"


def _rabbitmq() -> Finding:
    found = rabbitmq.installed()
    said = "installed" if found else "not installed: checks that need it are skipped"
    return Finding("rabbitmq", found, False, said)


def _box() -> Finding:
    try:
        around = confining.best()
    except Unable as error:
        return Finding("box", False, True, str(error))
    if around.confined:
        return Finding("box", True, False, f"learner code is confined: {around}")
    mending = confining.mending()
    only = "bubblewrap is the only box, docs/confinement-of-labs.md says why"
    said = f"{box.sentence(around)}. {only}" + (f". What mends it: {mending}" if mending else "")
    return Finding("box", False, False, said)
