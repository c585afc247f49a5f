"""Snapshots of an engine in files: `snapshot-<sequence number>.json`, a line with the digest and a line of JSON.

A snapshot only saves time: the journal alone rebuilds the same. One that cannot be read is passed over for the one before.
"""

import hashlib
import json
import os
from pathlib import Path

from trading.adapters.journal.segment import sync_folder
from trading.domain.engine import Engine
from trading.domain.snapshot import UnknownVersion, restore, snapshot

KEPT = 3


def save(folder: Path, engine: Engine) -> Path:
    """Write the state of an engine, and remove all but the newest snapshots; on the disk when this returns. Raises OSError, and leaves
    nothing behind then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(snapshot(engine), separators=(",", ":")).encode()
    path = folder / f"snapshot-{engine.sequence:020d}.json"
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    draft.rename(path)
    sync_folder(folder)
    for old in _paths(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path, at_most: int | None = None) -> Engine:
    """An engine from the newest snapshot that can be read, of no later input than `at_most`; a new engine when there is none."""
    for path in _paths(folder):
        try:
            digest, content = path.read_bytes().split(b"\n", 1)
            if digest.decode() != hashlib.sha256(content).hexdigest():
                continue
            engine = restore(json.loads(content))
        except (OSError, ValueError, UnknownVersion):
            continue
        if at_most is None or engine.sequence <= at_most:
            return engine
    return Engine()


def _paths(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("snapshot-*.json"), reverse=True)
