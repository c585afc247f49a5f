"""Where the gateway process begins."""

import gc
import sys

from trading.adapters.board import Board, Field
from trading.adapters.ring import Ring
from trading.processes.gateway import Gateway
from trading.processes.lifeline import beginning, ended_by
from trading.processes.settings import ShardSettings

SWITCH_SECONDS = 0.0005
"""How long one thread keeps the other out: Python's 5 ms would be the latency of every report under load."""


def main(settings: ShardSettings, board: Board, inputs: Ring, outcomes: Ring) -> None:
    """The process: where `multiprocessing` begins."""
    with beginning():
        board.beat(Field.GATEWAY_BEAT)
        sys.setswitchinterval(SWITCH_SECONDS)
        gateway = Gateway(settings, board, inputs.sender(), outcomes.receiver())
        ended_by(gateway.end)
    gc.collect()
    gc.freeze()
    gateway.run()
    board.close()
