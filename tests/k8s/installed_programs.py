"""The programs of the overlays, run here with the overlays' own configuration, where they are installed.

Debian packages Prometheus, and `otelcol-contrib` is in the collector's image. The others are built:
`go install github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.2`, and Loki with `go build ./cmd/loki` in
a copy of the module github.com/grafana/loki/v3@v3.7.8, without the line of its go.mod that replaces `pkg/push`, which the module has not.
"""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from servers import wait_until


def program(name: str) -> str:
    """Its path; skips where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextlib.contextmanager
def runs(log: Path, *argv: str, **environment: str) -> Iterator[None]:
    """While the block runs, the program does; what it says is in the file."""
    with (
        log.open("wb") as said,
        subprocess.Popen(argv, stdout=said, stderr=said, env={**os.environ, **environment}) as it,
    ):
        try:
            yield
        finally:
            it.terminate()


def answers(url: str) -> bool:
    """Whether it says 200."""
    with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


@contextlib.contextmanager
def prometheus(port: int, folder: Path, configuration: Mapping[str, Any]) -> Iterator[None]:
    """While the block runs, a Prometheus with this configuration answers on the port."""
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(configuration))
    argv = (
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with runs(folder / "prometheus.log", program("prometheus"), *argv):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), what="Prometheus")
        yield


def told(port: int, path: str, **query: str) -> Any:
    """What the Prometheus on the port answers."""
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def series(port: int, query: str) -> list[dict[str, str]]:
    """The labels of each series that a query finds."""
    return [one["metric"] for one in told(port, "query", query=query)["result"]]


def of_here(file: Path, configuration: str, changed: Mapping[str, str]) -> Path:
    """The file with a configuration for folders and ports of this machine; each of them has to stand in it."""
    for there, here in changed.items():
        assert there in configuration
        configuration = configuration.replace(there, here)
    file.write_text(configuration)
    return file
