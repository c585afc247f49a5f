"""An engine process that does not count how long its inputs take: what watching costs is what the real one takes beyond it."""

from trading.adapters.board import Board, Field
from trading.adapters.ring import Ring
from trading.processes import engine
from trading.processes.engine import EngineProcess
from trading.processes.settings import ShardSettings


class Unwatched(EngineProcess):
    """Takes inputs and shows signs of life."""

    _timed = EngineProcess._take  # type: ignore[assignment]

    def _beat(self) -> None:
        self._board.beat(Field.ENGINE_BEAT)


def main(settings: ShardSettings, board: Board, inputs: Ring, outcomes: Ring) -> None:
    """The process: where `multiprocessing` begins."""
    engine.EngineProcess = Unwatched  # type: ignore[misc]
    engine.main(settings, board, inputs, outcomes)
