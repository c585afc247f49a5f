"""Archives batches. Called by the chassis' batch consumer, which acknowledges a batch once `apply` returned."""

from collections.abc import Sequence
from typing import Any

from analytics.domain import batch
from analytics.domain.errors import BatchRefused
from analytics.ports.archive import ArchiveWriter
from chassis.errors import Permanent


class Archiver:
    """A `chassis.batch_consumer.BatchHandler`."""

    def __init__(self, archive: ArchiveWriter) -> None:
        self._archive = archive

    def read(self, body: bytes) -> Any:
        """The rows of the batch in a message. Raises Permanent."""
        try:
            return self._archive.rows(batch.decode(body))
        except BatchRefused as error:
            raise Permanent(str(error)) from error

    def apply(self, batches: Sequence[Any]) -> None:
        """Write the batches. A batch that comes twice is written twice; who reads takes each part once. Raises Transient."""
        self._archive.write(batches)

    def ping(self) -> None:
        """Ask the archive. Raises Transient when it takes no files."""
        self._archive.ping()
