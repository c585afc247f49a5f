"""Reads the frames of one segment in order and checks that each continues the one before: sequence, block numbers, hash chain."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from trading.adapters.journal import frames
from trading.adapters.journal.frames import Bad, Block, Buffer, Frame
from trading.adapters.journal.segment import PAGE, Header


@dataclass(slots=True)
class Walk:
    """Where a reader stands in a segment. All fields are true up to `offset`."""

    buffer: Buffer
    header: Header
    offset: int = PAGE
    next_sequence: int = 0
    next_block: int = 0
    chain: bytes = b""
    block_start: int = PAGE
    block_sequence: int = 0
    epoch: int = 0
    bad: Bad | None = None
    """What stopped the walk, when it was no end of the segment."""
    holders: list[tuple[int, int, int, str]] = field(default_factory=list)
    """(epoch, next sequence, level, version of the code) of each process that wrote."""
    last_block: Block | None = None

    def __post_init__(self) -> None:
        header = self.header
        self.next_sequence = self.block_sequence = header.first_sequence
        self.next_block, self.chain, self.epoch = header.first_block, header.chain, header.epoch

    def frames(self) -> Iterator[Frame]:
        """Every frame from `offset` on; ends at the end of the segment, or sets `bad` and ends."""
        while True:
            frame = frames.frame_at(self.buffer, self.offset, self.header.size)
            if frame is None:
                return
            self.bad = frame if isinstance(frame, Bad) else self._against(frame)
            if self.bad is not None:
                return
            assert isinstance(frame, Frame)
            self._take(frame)
            yield frame

    def skip_closed_blocks(self) -> "Walk":
        """Stand behind the last closed block without reading what is before it."""
        found = frames.last_block(self.buffer, self.header.size)
        if found:
            block, end = found
            self.epoch = block.epoch
            self._stand_behind(block, end)
        return self

    def to_the_end(self) -> "Walk":
        """Walk until the segment ends or something is wrong with it."""
        for _ in self.frames():
            pass
        return self

    def _against(self, frame: Frame) -> Bad | None:
        """What in a whole frame contradicts the frames before it."""
        if frame.sequence != self.next_sequence:
            return Bad(frame.offset, f"sequence number {self.next_sequence} is missing, {frame.sequence} follows")
        if frame.kind != frames.BLOCK:
            return None
        block = frames.block_of(frame)
        if (block.number, block.start, block.first_sequence) != (
            self.next_block,
            self.block_start,
            self.block_sequence,
        ):
            return Bad(frame.offset, f"block {self.next_block} is missing, {block.number} follows")
        if block.chain != frames.link(self.chain, self.buffer[self.block_start : frame.offset]):
            return Bad(self.block_start, f"the hash of block {block.number} is another")
        return None

    def _take(self, frame: Frame) -> None:
        self.offset = frame.end
        if frame.kind == frames.GROUP:
            self.next_sequence += frames.count(frame)
        elif frame.kind == frames.HOLDER:
            self.epoch, level = frames.HOLDER_BODY.unpack_from(frame.body)
            version = frame.body[frames.HOLDER_BODY.size :].decode()
            self.holders.append((self.epoch, frame.sequence, level, version))
        else:
            self._stand_behind(frames.block_of(frame), frame.end)

    def _stand_behind(self, block: Block, end: int) -> None:
        self.last_block, self.chain, self.next_block = block, block.chain, block.number + 1
        self.offset = self.block_start = end
        self.next_sequence = self.block_sequence = block.next_sequence

    def frame_follows(self) -> bool:
        """Whether a whole frame lies beyond `offset`. A writer that was killed leaves none: what is missing here was committed then."""
        end = frames.written_end(self.buffer, self.offset)
        return any(
            isinstance(frames.frame_at(self.buffer, at, self.header.size), Frame)
            for at in range(self.offset + 8, end, 8)
        )
