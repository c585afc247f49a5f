"""What a drill may aim at among the pools: none runs commands of the outbox, so kills are the capstone's own drills."""

from collections.abc import Sequence

from conductor.capabilities import Moment, Target

TARGETS: Sequence[Target] = ()


class NoEffects:
    """No pool runs commands of the outbox. See conductor.capstone.Effects."""

    def moment(self, commands: object) -> Moment:
        """Nothing is known of any command."""
        return "during"

    def close(self) -> None:
        """Nothing is open."""
