"""The tail publishes every closed block in order and knows where it was; what does not go on from there is not published."""

from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from loadtests.trading.driven_engine import shard

from chassis.errors import Transient
from fakes.full_disk import full_disk
from trading.adapters import published
from trading.adapters.journal.batch import SLOT, BatchRefused, JournalBatch, decode
from trading.adapters.journal.reader import Tail, chains_at, first_chain
from trading.adapters.journal.recovery import cut_to_the_last_sync
from trading.adapters.journal.segment import segments
from trading.adapters.journal.writer import Journal, Level
from trading.processes import tail
from trading.processes.settings import ShardSettings
from trading.processes.tail import JournalForked, TailPublisher


class Broker:
    """Takes what is published; confirms none while it is away, and may have taken it all the same."""

    def __init__(self) -> None:
        self.taken: list[JournalBatch] = []
        self.away = self.loses_confirms = False

    def publish(self, body: bytes) -> "Future[None]":
        done: Future[None] = Future()
        if not self.away:
            self.taken.append(decode(body))
        if self.away or self.loses_confirms:
            done.set_exception(Transient("no confirm"))
        else:
            done.set_result(None)
        return done

    def close(self) -> None: ...

    @property
    def records(self) -> dict[int, bytes]:
        return {
            batch.first_sequence + index: record for batch in self.taken for index, record in enumerate(batch.records)
        }


def opened(settings: ShardSettings, level: Level = "process") -> Journal:
    return Journal(settings.journal, level=level, code_version="test", segment_bytes=16 * 4096, block_bytes=512)


def record(number: int) -> bytes:
    return number.to_bytes(SLOT, "big") * (1 + number % 3)


def write(journal: Journal, first: int, last: int) -> None:
    for number in range(first, last + 1):
        journal.reserve()
        assert number == journal.commit([record(number)])
    journal.close_block()


def publish_all(publisher: TailPublisher) -> None:
    while publisher.round():
        pass


def test_every_record_is_published_once_in_order_over_segments_and_restarts(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "BATCH_BYTES", 4096)
    settings, broker = shard(tmp_path, shard=3), Broker()
    with opened(settings) as journal:
        write(journal, 1, 400)
        publish_all(TailPublisher(settings, broker))
        write(journal, 401, 900)
    with opened(settings) as journal:
        write(journal, 901, 1000)
        publish_all(TailPublisher(settings, broker))

    assert len(segments(settings.journal)) > 1
    assert [record(number) for number in range(1, 1001)] == [one for batch in broker.taken for one in batch.records]
    for before, after in zip(broker.taken, broker.taken[1:], strict=False):
        assert (before.last_sequence + 1, before.blocks[-1][1]) == (after.first_sequence, after.before)
    assert {(3, first_chain(settings.journal))} == {(batch.shard, batch.journal) for batch in broker.taken}


def test_a_broker_that_is_away_costs_nothing_but_time(tmp_path):
    settings, broker = shard(tmp_path), Broker()
    with opened(settings) as journal:
        write(journal, 1, 100)
        publisher = TailPublisher(settings, broker)
        broker.away = True
        for _ in range(2):
            with pytest.raises(Transient):
                publisher.round()
        broker.away, broker.loses_confirms = False, True
        with pytest.raises(Transient):
            publisher.round()
        broker.loses_confirms = False
        write(journal, 101, 200)
        publish_all(publisher)

    assert {number: record(number) for number in range(1, 201)} == broker.records
    assert [1, 1, 101] == [batch.first_sequence for batch in broker.taken]


def test_a_place_that_cannot_be_kept_is_kept_with_the_next_batch(tmp_path):
    settings, broker = shard(tmp_path), Broker()
    with opened(settings) as journal:
        write(journal, 1, 100)
        publisher = TailPublisher(settings, broker)
        with full_disk():
            publish_all(publisher)
        kept = published.read(settings.published).sequence
        write(journal, 101, 200)
        publish_all(publisher)

    assert (0, 200) == (kept, published.read(settings.published).sequence)
    assert [1, 101] == [batch.first_sequence for batch in broker.taken]


@pytest.mark.parametrize("settled", [True, False])
def test_what_was_published_is_there_after_a_power_failure(tmp_path, settled):
    settings, broker = shard(tmp_path), Broker()
    with opened(settings, "disk") as journal:
        write(journal, 1, 100)
        if settled:
            journal.settle()
        publish_all(TailPublisher(settings, broker))
        left = [(path.name, path.read_bytes()) for path in segments(settings.journal)]
    for name, content in left:
        (settings.journal / name).write_bytes(content)
    assert settled or cut_to_the_last_sync(segments(settings.journal)[-1])
    with opened(settings, "disk") as journal:
        write(journal, 101, 200)
        journal.settle()
        publish_all(TailPublisher(settings, broker))

    assert {number: record(number) for number in range(1, 201)} == broker.records
    assert 200 == sum(len(batch.records) for batch in broker.taken)


def test_what_is_read_ahead_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "MOST_BLOCKS", 3)
    settings, broker = shard(tmp_path), Broker()
    broker.away = True
    with opened(settings) as journal:
        write(journal, 1, 500)
        publisher = TailPublisher(settings, broker)
        with pytest.raises(Transient):
            publisher.round()

        assert 3 == len(publisher._pending)
        broker.away = False
        publish_all(publisher)
    assert {number: record(number) for number in range(1, 501)} == broker.records


def test_a_lost_place_publishes_all_again(tmp_path):
    settings, broker = shard(tmp_path), Broker()
    with opened(settings) as journal:
        write(journal, 1, 50)
        publish_all(TailPublisher(settings, broker))
        settings.published.write_text("")
        publish_all(TailPublisher(settings, broker))

    assert [(1, 50), (1, 50)] == [(batch.first_sequence, batch.last_sequence) for batch in broker.taken]


@pytest.mark.parametrize("written_again", [20, 50, 90])
def test_a_journal_that_lost_its_end_after_it_was_published_is_refused(tmp_path, written_again):
    settings = shard(tmp_path)
    with opened(settings) as journal:
        write(journal, 1, 50)
        publish_all(TailPublisher(settings, Broker()))
    for path in segments(settings.journal):
        path.unlink()
    with opened(settings) as journal:
        for number in range(1, written_again + 1):
            journal.commit([bytes(SLOT)])
            if number == 50:
                journal.close_block()
        journal.close_block()

        with pytest.raises(JournalForked, match="ends at sequence number 50"):
            TailPublisher(settings, Broker())


def test_chains_are_found_backwards_over_segments(tmp_path):
    settings = shard(tmp_path)
    with opened(settings) as journal:
        write(journal, 1, 900)
    with opened(settings):  # whose block holds no record
        pass
    ends = {closed.block.next_sequence - 1: closed.block.chain for closed in Tail(settings.journal).poll()}

    assert all(chain in chains_at(settings.journal, last) for last, chain in ends.items())
    assert 2 == len(chains_at(settings.journal, 900))
    assert [bytes(32)] == chains_at(settings.journal, 0)
    assert [] == chains_at(settings.journal, 901) == chains_at(settings.journal, 1)


@given(st.data())
@given_settings(max_examples=50)
def test_a_batch_is_read_back_and_no_part_of_one_is(data):
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=6))
    cut = data.draw(st.integers(1, len(sizes)))
    ends = ((6 + cut, b"a" * 32), *(((6 + len(sizes), b"b" * 32),) if cut < len(sizes) else ()))
    records = [bytes([index]) * SLOT * size for index, size in enumerate(sizes)]
    batch = JournalBatch(1, b"j" * 32, b"z" * 32, 7, ends, records)

    body = batch.encode()
    assert batch == decode(body)
    with pytest.raises(BatchRefused):
        decode(body[: data.draw(st.integers(0, len(body) - 1))])
