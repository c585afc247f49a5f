"""Which of a drill's strange messages are parked, raw and with a reason, read from the table itself with every body whole."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from conductor.harness import hostile_messages
from conductor.harness.hostile_messages import HostileMessage
from conductor.harness.outbox_state import OutboxState

_LAST = "SELECT coalesce(max(id), 0) FROM parked"
# Bodies are megabytes: each is read once. The newest id is no mark, since what is parked at the same time commits in any order.
_SINCE = """
    SELECT id, task, key, reason, detail, body FROM parked
    WHERE status = 'parked' AND id > %s AND id <> ALL(%s) ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One record that waits for a decision; `key` is the outbox key of a command, None for a message; `fingerprint` is its body's."""

    id: int
    task: str
    key: str | None
    reason: str
    detail: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.task} {self.key or ''}: {self.reason}, {self.detail}"


class HostileParked:
    """What was sent and what was parked since this was made. Nothing is parked while the database does not answer."""

    def __init__(self, outbox: OutboxState) -> None:
        self._outbox = outbox
        self._before = outbox.number(_LAST) or 0
        self._read: dict[int, Record] = {}
        self.sent: list[HostileMessage] = []

    def records(self) -> Sequence[Record]:
        """Every record since then, oldest first."""
        for row in self._outbox.rows(_SINCE, self._before, list(self._read)) or ():
            record_id, task, key, reason, detail, body = row
            self._read[record_id] = Record(record_id, task, key, reason, detail, hostile_messages.fingerprint(body))
        return [self._read[record_id] for record_id in sorted(self._read)]

    def missing(self) -> list[HostileMessage]:
        """What was sent and has no record of its own with a reason."""
        records = [record for record in self.records() if record.reason and record.detail]
        there = Counter(record.fingerprint for record in records)
        lost = []
        for message in self.sent:
            kept = next((form for form in message.kept_as if there[form] > 0), None)
            if kept is None:
                lost.append(message)
            else:
                there[kept] -= 1
        return lost

    def tell_missing(self) -> str:
        """What is waited for, for a person."""
        lost = self.missing()
        kinds = "; ".join(message.what for message in lost[:5])
        return f"{len(lost)} of {len(self.sent)} strange messages to be parked: {kinds}"

    def others(self) -> list[Record]:
        """Records of nothing that was sent."""
        sent = {form for message in self.sent for form in message.kept_as}
        return [record for record in self.records() if record.fingerprint not in sent]
