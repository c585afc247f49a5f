"""What the children of a shard counted: read from their board, and added up over those that were replaced."""

from dataclasses import dataclass

from trading.adapters.board import DURATIONS, Board, Field


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers that only grow."""

    durations: tuple[int, ...] = (0,) * DURATIONS
    """Inputs of the engine by how long their batch took, see `Field.ENGINE_DURATIONS`."""
    busy_ns: int = 0
    messages_in: int = 0
    messages_out: int = 0
    refused_full: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            tuple(one + another for one, another in zip(self.durations, other.durations, strict=True)),
            self.busy_ns + other.busy_ns,
            self.messages_in + other.messages_in,
            self.messages_out + other.messages_out,
            self.refused_full + other.refused_full,
        )


def counted(board: Board) -> Counts:
    """What the children of this board counted so far."""
    return Counts(
        tuple(board.read(Field.ENGINE_DURATIONS, DURATIONS)),
        board.get(Field.ENGINE_BUSY_NS),
        board.get(Field.GATEWAY_MESSAGES_IN),
        board.get(Field.GATEWAY_MESSAGES_OUT),
        board.get(Field.GATEWAY_REFUSED_FULL),
    )
