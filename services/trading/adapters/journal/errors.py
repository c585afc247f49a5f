"""What can be wrong with a journal.

JournalError
├── JournalHeld        another process writes it
├── JournalFull        the next segment cannot be created; nothing was written
├── JournalDamaged     what was committed cannot be read; names file and offset
└── RecordTooLarge     a record that no segment takes
"""

from pathlib import Path


class JournalError(Exception):
    """Base of what this package raises on purpose."""


class JournalHeld(JournalError):
    """Another process holds the lock of the journal."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the journal {folder} is held by another process")


class JournalFull(JournalError):
    """There is no room for the next segment; what was committed stays as it is."""


class JournalDamaged(JournalError):
    """Bytes that were committed are missing or changed."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        super().__init__(f"{path} is damaged at offset {offset}: {reason}")
        self.path, self.offset, self.reason = path, offset, reason


class RecordTooLarge(JournalError):
    """A record is longer than the room that is kept free in every segment."""
