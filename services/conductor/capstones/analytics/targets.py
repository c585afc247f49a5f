"""What a drill may aim at among the analytics' pools."""

from conductor.capabilities import Flush, Moment, Target
from conductor.capstones.analytics import COUNTERS, counters
from conductor.errors import StoreUnreachable
from conductor.runtime import Reach


def _written(access: Reach) -> int | None:
    try:
        return counters.counted(access)
    except StoreUnreachable:
        return None


AGGREGATE = Target("aggregate", flush=Flush(COUNTERS, _written, "fcall"))

TARGETS = (AGGREGATE,)


class NoEffects:
    """No pool runs commands of the outbox: where a flush stands is seen in the store itself. See conductor.capstone.Effects."""

    def moment(self, commands: object) -> Moment:
        """Nothing is known of any command."""
        return "during"

    def close(self) -> None:
        """Nothing is open."""
