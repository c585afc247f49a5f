"""The broker restarts in order and crashes, under load: what it lost comes due again, and every worker comes back by itself."""

from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage


def play(stage: Stage | ClusterStage) -> None:
    """Strike it when enough orders are open, and go on only when orders are worked off again."""
    with stage.orders():
        for hard in (False, True):
            open_orders = stage.await_open()
            stage.story.tell(f"{open_orders} orders are open")
            stage.restart_server(stage.runtime.broker, hard=hard)
            stage.await_progress()


DRILL = Drill("broker-restart", "restarts and crashes the broker under load", play, play, orders=1000)
