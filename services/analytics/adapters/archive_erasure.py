"""Erases a user from the archive: each file that names the user is replaced at once by one that does not.

User and event id of the user's events become empty, and the content of a `follow` of the user. The events stay, so a recount stays exact.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.adapters.archive_files import ArchiveFiles
from analytics.domain.erasing import FOLLOWS
from chassis.errors import Transient


class ArchiveErasure:
    """See ports.Place."""

    def __init__(self, files: ArchiveFiles) -> None:
        self._files = files

    def erase(self, user: str) -> Mapping[str, Any]:
        """Rewrite each file that names the user; a file has the events of one window, so it fits in memory."""
        files = events = 0
        for file in self._files.files():
            found = self._without(file.path, user)
            files += found > 0
            events += found
        return {"files": files, "events": events}

    def _without(self, path: str, user: str) -> int:
        try:
            with self._files.filesystem.open(path, "rb") as opened:
                table = pq.ParquetFile(opened).read()
        except FileNotFoundError:
            return 0  # its retention ended meanwhile
        except OSError as error:
            raise Transient(f"the archive cannot be read: {error}") from error
        own = pc.equal(table["user"], user)
        follows = pc.is_in(table["kind"], pa.array(FOLLOWS))
        followed = pc.and_(follows, pc.equal(table["content"], user))
        named = pc.sum(pc.or_(own, followed)).as_py() or 0
        if named:
            for name, mask in (("user", own), ("id", own), ("content", followed)):
                column = pc.if_else(mask, "", table[name])
                table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
            self._files.put(path, table)
        return int(named)
