"""Signed heads: how far the journal reached, kept where who can change the journal cannot.

A head names a closed block and its link of the hash chain, signed with a key (HMAC-SHA256). A journal that was cut, or written anew
from some block on, has another chain at that block or none. Heads are lines of JSON, one file a journal, appended and synced.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trading.adapters.journal.errors import JournalDamaged
from trading.adapters.journal.reader import Closed


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a closed block: its number, epoch, the sequence number of its last record, and the chain in hex."""

    block: int
    epoch: int
    last_sequence: int
    chain: str

    def signature(self, key: bytes) -> str:
        """The signature of this head, in hex."""
        text = f"{self.block} {self.epoch} {self.last_sequence} {self.chain}"
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def head_of(closed: Closed) -> Head:
    """The head that a closed block is."""
    block = closed.block
    return Head(block.number, block.epoch, block.next_sequence - 1, block.chain.hex())


def keep(path: Path, head: Head, key: bytes) -> None:
    """Append a head; it is on the disk when this returns."""
    line = json.dumps({**{name: getattr(head, name) for name in head.__slots__}, "signature": head.signature(key)})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def kept(path: Path, key: bytes) -> Iterator[Head]:
    """The heads that were kept, oldest first; raises JournalDamaged for one that cannot be read or that the key did not sign.

    A last line without its end is one whose writer was killed, and no head.
    """
    if not path.exists():
        return
    offset = 0
    for line in path.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            return
        try:
            fields = json.loads(line)
            signature = fields.pop("signature")
            head = Head(**fields)
            good = hmac.compare_digest(signature, head.signature(key))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise JournalDamaged(path, offset, f"a head cannot be read: {error}") from error
        if not good:
            raise JournalDamaged(path, offset, f"the signature of the head of block {head.block} is not by this key")
        yield head
        offset += len(line)
