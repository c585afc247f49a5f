"""Everything comes twice and in any order: messages of open and of finished commands, callbacks of the carrier, requests of customers."""

from functools import partial

from conductor import history
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.workload import wish_of
from conductor.harness import dependency_faults
from conductor.harness.broker_client import BrokerClient
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage

ROUNDS, SMALL_ROUNDS = 10, 4
COPIES = 3
CALLBACKS = {"rate": {"callback_duplicate": 0.3, "callback_reorder": 0.3, "callback_lost_once": 0.2}}

CHARGES = "orders.payments"

# Of each queue, or the one that is furthest behind would be all there is.
_ISSUED = """
    SELECT id, task, queue FROM (
        SELECT id, task, queue, row_number() OVER (PARTITION BY queue ORDER BY id) AS n FROM outbox WHERE issued > 0 AND state = 'open'
    ) under_way WHERE n <= 50
"""


def play(stage: Stage) -> None:
    """Repeat what is under way, again and again, while orders keep coming."""
    seen: dict[int, tuple[str, str]] = {}
    copies = 0
    with (
        dependency_faults.faults(stage.runtime, "carrier", CALLBACKS),
        stage.orders(),
        # Copies are to meet what they are copies of while it is under way: a wait for each confirm would bring them too late.
        BrokerClient(stage.runtime, confirmed=False) as broker,
    ):
        for _ in range(ROUNDS if stage.size.large else SMALL_ROUNDS):
            stage.await_open()
            issued = _issued(stage)
            seen |= issued
            chosen = [*issued, *stage.rng.sample(sorted(seen), min(len(seen), 50))]
            stage.rng.shuffle(chosen)
            for command in chosen * COPIES:
                task, queue = seen[command]
                broker.send_task(queue, task, {"v": 1, "ids": [command]})
            copies += len(chosen) * COPIES
            stage.await_progress(1)
        stage.story.tell(f"{copies} messages were delivered besides the relay's own")
        _ask_again(stage)


def _issued(stage: Stage) -> dict[int, tuple[str, str]]:
    """Commands under way, each with its task and queue; a charge among them, since no repetition costs more."""
    issued: dict[int, tuple[str, str]] = {}

    def charges() -> bool:
        issued.update({row[0]: (row[1], row[2]) for row in stage.facts.rows(_ISSUED) or ()})
        return any(queue == CHARGES for _, queue in issued.values())

    stage.wait_for(charges, f"a command in {CHARGES}")
    return issued


def _ask_again(stage: Stage) -> None:
    """Send requests again that were answered long ago: the same key gives the same order."""
    told = history.read([stage.journal.path])
    with OrdersApi.of(stage.runtime) as api:
        for accepted in list(told.accepted.values())[:: max(1, len(told.accepted) // 50)]:
            intent = told.intents[accepted.key]
            _, wish = wish_of(intent.customer, stage.size.seed)
            answer = stage.insist(partial(api.place, accepted.key, wish.body))
            same = answer["order_id"] == accepted.order_id
            stage.expect(same, f"key {accepted.key} made {accepted.order_id}, and then {answer['order_id']}")


DRILL = Drill("duplicate-delivery", "delivers messages, callbacks and requests again, in any order", play, orders=1000)
