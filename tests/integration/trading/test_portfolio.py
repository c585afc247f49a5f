"""Positions in PostgreSQL are those of the journal, however its batches come: again, cut otherwise, in disorder, to several workers."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from chassis.errors import Permanent, Transient
from chassis.migrate import migrate, scripts_of
from conductor.capstones.trading import evidence
from fakes.trading_schedules import journaled
from trading import reconcile
from trading.adapters.journal.batch import JournalBatch
from trading.adapters.journal.writer import Journal
from trading.adapters.portfolio_store import SqlPortfolioStore
from trading.domain.engine import Engine
from trading.domain.portfolio import FeeSchedule, Portfolio
from trading.usecases.portfolio import ApplyJournal
from trading.usecases.reconcile import compare, rebuild

FEES = FeeSchedule(maker_ppm=100, taker_ppm=333)
FEES_TOLD = {"MAKER_FEE_PPM": "100", "TAKER_FEE_PPM": "333"}


@pytest.fixture
def database(database_url):
    migrate(database_url, scripts_of("trading.audit"))
    return database_url


def traded(seed, inputs=400):
    """Records of a journal, and the portfolio that they make."""
    portfolio, records = Portfolio(FEES), []
    for record, outcomes, written in journaled(Engine(), seed, inputs):
        portfolio.apply(record, outcomes)
        records.append(written)
    return records, portfolio


def chain(shard, sequence):
    return b"%31d." % (shard * 10_000 + sequence) if sequence else bytes(32)


def batch(shard, records, first, last, journal=b"j" * 32):
    """A batch of blocks of 10 records."""
    ends = [end for end in range(first, last) if end % 10 == 0] + [last]
    return JournalBatch(
        shard, journal, chain(shard, first - 1), first, tuple((end, chain(shard, end)) for end in ends),
        records[first - 1 : last],
    )  # fmt: skip


def cuts(shard, records, rng):
    """The journal as batches of some blocks each."""
    ends = sorted({*rng.sample(range(10, len(records), 10), 12), len(records)})
    return [batch(shard, records, first + 1, last) for first, last in zip([0, *ends], ends, strict=False)]


def kept(database, shard):
    """Positions, how far they are, marks, and the number of batches that wait for others."""
    with SqlPortfolioStore(database).shard(shard) as rows:
        positions, instruments, applied = rows.all_positions(), rows.instruments(), rows.applied
    with sa.create_engine(database, poolclass=sa.NullPool).begin() as conn:
        early = conn.execute(sa.text("SELECT count(*) FROM early_batches")).scalar_one()
    return (
        positions,
        (applied.sequence, applied.now_us),
        {symbol: one.mark for symbol, one in instruments.items()},
        early,
    )


def test_each_sequence_number_counts_once_whatever_the_broker_does(database):
    rng, journals = random.Random(18), {shard: traded(shard) for shard in (0, 1)}
    deliveries = [
        one for shard, (records, _) in journals.items() for _ in range(2) for one in cuts(shard, records, rng)
    ]
    rng.shuffle(deliveries)
    workers = [ApplyJournal(SqlPortfolioStore(database), FEES) for _ in range(3)]

    def work(worker, given):
        while given:
            held = [given.pop() for _ in range(min(len(given), rng.randint(1, 4)))]
            worker.apply([worker.read(one.encode()) for one in held])

    with ThreadPoolExecutor(len(workers)) as threads:
        for done in [threads.submit(work, one, deliveries[at :: len(workers)]) for at, one in enumerate(workers)]:
            done.result()

    for shard, (records, portfolio) in journals.items():
        marks = {symbol: one.mark for symbol, one in portfolio.instruments.items()}
        assert (portfolio.positions, (len(records), portfolio.now_us), marks, 0) == kept(database, shard)


def test_what_does_not_go_on_from_what_was_applied_is_refused(database):
    records, _ = traded(3)
    worker = ApplyJournal(SqlPortfolioStore(database), FEES)
    worker.apply([batch(0, records, 1, 100)])
    before = kept(database, 0)

    other = batch(0, records, 101, 200, journal=b"k" * 32)
    with pytest.raises(Permanent, match=f"is of journal {other.journal.hex()[:16]}"):
        worker.apply([other])
    forked = batch(0, records, 81, 200)
    ends = tuple((end, b"x" * 32 if end == 100 else link) for end, link in forked.blocks)
    with pytest.raises(Permanent, match="at sequence number 100 its journal has another hash"):
        worker.apply([JournalBatch(0, forked.journal, forked.before, 81, ends, forked.records)])
    with pytest.raises(Permanent, match="no batch of a journal"):
        worker.read(b"{}")
    assert before == kept(database, 0)

    worker.apply([batch(0, records, 81, 200)])
    assert (200,) == kept(database, 0)[1][:1]


def journal_of(folder, records):
    with Journal(folder, level="process", code_version="test", segment_bytes=1 << 16, block_bytes=2048) as journal:
        for record in records:
            journal.reserve()
            journal.commit([record])


def test_a_verdict_of_a_drill_says_whether_the_positions_are_those_of_the_journal(tmp_path, database, monkeypatch):
    class Platform:
        """The addresses as a laptop's platform tells them."""

        def addresses(self):
            return {
                "database": database.replace("postgresql+psycopg://", "postgresql://"),
                "broker": "amqp://localhost//",
            }

    monkeypatch.setattr(evidence, "APPLIED_SECONDS", 0.1)
    records, _ = traded(6)
    journal_of(tmp_path / "journal", records)
    assert (f"reconcile: {len(records)} records of the journal are not in the positions",) == evidence.reconciled(
        Platform(), tmp_path
    )
    rebuild(tmp_path / "journal", SqlPortfolioStore(database), 0, FeeSchedule(0, 0))
    assert () == evidence.reconciled(Platform(), tmp_path)
    with sa.create_engine(database, poolclass=sa.NullPool).begin() as conn:
        conn.execute(sa.text("DELETE FROM positions WHERE account = 2"))

    named = evidence.reconciled(Platform(), tmp_path)
    assert named
    assert all(said.startswith("account 2, symbol ") for said in named)


def test_a_comparison_waits_for_no_worker_and_writes_nothing(tmp_path, database):
    records, _ = traded(5)
    journal_of(tmp_path / "journal", records)
    store, beside = SqlPortfolioStore(database), SqlPortfolioStore(database)

    with store.shard(0):
        compared = compare(tmp_path / "journal", beside, 0, FeeSchedule(0, 0))
    with pytest.raises(Transient, match="read-only"), beside.seen(3) as rows:
        rows.clear()

    assert (0, 0, len(records)) == (compared.differences, compared.sequence, compared.behind)


def test_a_comparison_with_the_journal_names_what_differs_and_a_rebuild_mends_it(
    tmp_path, database, monkeypatch, capsys
):
    records, portfolio = traded(5)
    journal_of(tmp_path / "journal", records)
    for name, value in {
        "DATABASE_URL": database,
        "BROKER_URL": "amqp://localhost//",
        "SHARD": "7",
        **FEES_TOLD,
    }.items():
        monkeypatch.setenv(name, value)

    def said(*arguments):
        code = reconcile.main([str(tmp_path), *arguments])
        out, _ = capsys.readouterr()
        return code, json.loads(out)

    assert (0, 0, len(records)) == (said()[0], said()[1]["sequence"], said()[1]["behind"])
    (tmp_path / "published").write_text("of another history")
    assert (0, len(records), len(portfolio.positions)) == (
        *said("--rebuild")[:1],
        said()[1]["sequence"],
        said()[1]["positions"],
    )
    assert not (tmp_path / "published").exists()
    assert portfolio.positions == kept(database, 7)[0]
    with sa.create_engine(database, poolclass=sa.NullPool).begin() as conn:
        conn.execute(
            sa.text("UPDATE positions SET realised_minor = realised_minor + 1 WHERE account = 1 AND symbol = 1")
        )
    code, found = said()
    assert (1, False, 1) == (code, found["same"], found["differences"])
    assert found["named"][0].startswith("account 1, symbol 1:")
    assert (0, True) == (said("--rebuild")[0], said()[1]["same"])


def test_a_database_that_is_away_is_a_wait(postgres, database):
    records, portfolio = traded(4)
    worker = ApplyJournal(SqlPortfolioStore(database), FEES)
    worker.apply([batch(0, records, 1, 100)])
    with sa.create_engine(database, poolclass=sa.NullPool).begin() as conn:
        name = conn.execute(sa.text("SELECT current_database()")).scalar_one()
    with sa.create_engine(
        postgres.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    ).connect() as admin:
        admin.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        admin.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        with pytest.raises(Transient):
            worker.apply([batch(0, records, 101, len(records))])
        with pytest.raises(Transient):
            worker.ping()
        admin.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    worker.apply([batch(0, records, 101, len(records))])

    assert portfolio.positions == kept(database, 0)[0]


def test_numbers_beyond_64_bits_are_kept(database):
    worker = ApplyJournal(SqlPortfolioStore(database), FEES)
    with SqlPortfolioStore(database).shard(0) as rows:
        portfolio = Portfolio(FEES)
        portfolio.apply((13, 1, 10**6, 100), [])
        for trade in range(1, 4):
            portfolio.apply((10, trade), [(3, 1, trade, trade, 1, 1, 1, 10**9, 10**9, 10**9, 0, 10**18, trade, 0)])
        rows.save(rows.applied, portfolio.positions, portfolio.instruments)
    worker.ping()

    position = kept(database, 0)[0][1, 1]
    assert 3 * 10**24 == position.cost_minor
    assert portfolio.positions == kept(database, 0)[0]
