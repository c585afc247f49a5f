"""The archiver beside a bench: starts it, and waits until it has written what was sent."""

from pathlib import Path

from loadtests.analytics.servers import Servers, start_worker, wait


def folder(servers: Servers) -> Path:
    """Where the archive is."""
    return servers.folder / "archive"


SETTINGS = {"ARCHIVE_URL": "file://{folder}/archive"}
"""What all processes of the service need to be told."""


def start(servers: Servers) -> None:
    """Start one archiver."""
    start_worker(servers, "archive")


def rows_and_bytes(servers: Servers) -> tuple[int, int]:
    """Archived events, each as often as it is there, and the bytes of all files."""
    import pyarrow.parquet as pq

    files = list(folder(servers).glob("hour=*/*.parquet"))
    return sum(pq.read_metadata(each).num_rows for each in files), sum(each.stat().st_size for each in files)


def await_rows(servers: Servers, rows: int) -> None:
    """Return when so many events are archived."""
    wait(lambda: rows_and_bytes(servers)[0] >= rows, f"{rows} archived events")
