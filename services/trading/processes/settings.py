"""What the processes of one shard need to know. Plain data, handed over when they are spawned."""

from dataclasses import dataclass
from pathlib import Path

from trading.adapters.journal.writer import BLOCK_BYTES, SEGMENT_BYTES, Level


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """A shard: where its files lie, how it acknowledges, where it listens."""

    folder: Path
    """Holds `journal/`, `snapshots/` and what the gateway remembers of its sessions."""
    sessions: Path
    """The file of sessions and symbols, see adapters/fix/directory.py."""
    shard: int = 0
    """Number of the shard, by which the consumers of its journal tell it from others."""
    heads: Path | None = None
    """Where the keeper appends signed heads: on another volume than the journal's. None signs nothing."""
    heads_key: Path | None = None
    """The file of the key that signs them."""
    level: Level = "process"
    """What an acknowledgement promises: `process` survives a SIGKILL, `disk` a power failure."""
    host: str = "127.0.0.1"
    port: int = 0
    """Of FIX; 0 takes a free one."""
    door_port: int | None = None
    """Of the door for the API, see processes/control.py. None opens none."""
    engine_core: int | None = None
    """The core on which the engine spins for its next input. None lets it sleep until one comes."""
    silent_seconds: float = 0.6
    """A child that shows no sign of life for so long, although it had a core or asked for none, is killed; see silence.py."""
    slots: int = 16384
    """Messages that a ring holds."""
    segment_bytes: int = SEGMENT_BYTES
    block_bytes: int = BLOCK_BYTES
    snapshot_inputs: int = 200_000
    """Inputs between two snapshots: a restart reads that many again, at roughly a quarter of a million a second."""

    @property
    def journal(self) -> Path:
        """The folder of the journal."""
        return self.folder / "journal"

    @property
    def snapshots(self) -> Path:
        """The folder of the snapshots."""
        return self.folder / "snapshots"

    @property
    def reported(self) -> Path:
        """The file in which the gateway keeps up to which input it has passed on all outcomes."""
        return self.folder / "reported"

    @property
    def published(self) -> Path:
        """The file in which the tail keeps up to which block it has published."""
        return self.folder / "published"
