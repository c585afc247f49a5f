"""A shard's symbols open and close by the sessions in the database, and day orders expire at the close."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from loadtests.trading.driven_engine import SYMBOL, driven, order, shard

from chassis.migrate import migrate, scripts_of
from trading import write_sessions
from trading.adapters.session_store import SqlSessionStore
from trading.domain.sessions import Session, Unwritten
from trading.domain.terms import Input, Outcome, Phase
from trading.usecases.market_hours import follow

HOUR_US = 3_600_000_000


@pytest.fixture
def store(database_url: str) -> SqlSessionStore:
    migrate(database_url, scripts_of("trading.audit"))
    return SqlSessionStore(database_url, "XNYS")


def test_a_session_opens_and_closes_a_real_engine(store, tmp_path):
    day = 20_000
    opened, closed = day * 24 * HOUR_US + 14 * HOUR_US, day * 24 * HOUR_US + 18 * HOUR_US
    later = Session(day + 3, opened + 72 * HOUR_US, closed + 72 * HOUR_US)
    store.replace([Session(day, opened, closed), later], today=day)
    kept, said = tmp_path / "session", []

    with driven(shard(tmp_path)) as engine:
        engine.open_market()

        def say(*record: int) -> None:
            engine.send(record)
            said.append(record)

        def at(now_us: int) -> bool:
            return follow(store, now_us, kept, [SYMBOL], say)

        assert at(opened)
        assert not at(closed - 1)
        engine.outcomes(1)
        engine.send(order(1))
        assert Outcome.ACKNOWLEDGED == engine.outcomes(1)[0][0]
        # A person halts the symbol; the clock does not undo it.
        engine.send((Input.PHASE, SYMBOL, Phase.HALTED))
        engine.outcomes(1)
        assert not at(closed - 1)
        assert at(closed)
        assert not at(closed + HOUR_US)

        assert [Outcome.EXPIRED, Outcome.DONE] == [one[0] for one in engine.outcomes(2)]
        engine.end()
    assert [(Input.PHASE, SYMBOL, Phase.CONTINUOUS), (Input.PHASE, SYMBOL, Phase.CLOSED)] == said


def test_an_engine_that_does_not_answer_is_told_again(store, tmp_path):
    store.replace([Session(1, 1, 2), Session(2, 100, HOUR_US)], today=1)

    def away(*_: int) -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        follow(store, 200, tmp_path / "session", [1, 2], away)
    said: list = []
    assert follow(store, 200, tmp_path / "session", [1, 2], lambda *given: said.append(given))
    assert [1, 2] == [symbol for _, symbol, _ in said]
    with pytest.raises(Unwritten):
        follow(store, HOUR_US, tmp_path / "session", [1], away)


def test_sessions_are_written_ahead_and_again(store, database_url, monkeypatch, capsys):
    for name, value in {
        "DATABASE_URL": database_url,
        "BROKER_URL": "amqp://localhost//",
        "MARKET_CALENDAR": "XNYS",
    }.items():
        monkeypatch.setenv(name, value)
    now = datetime.now(UTC)
    today = (now.date() - date(1970, 1, 1)).days

    assert [0, 0] == [write_sessions.main(), write_sessions.main()]
    assert "sessions of XNYS" in capsys.readouterr().out
    near = store.near(int(now.timestamp()) * 1_000_000)
    assert 12 <= len(near) <= 22
    assert near == sorted(near)
    assert today == store.written_on()
    with sa.create_engine(database_url, poolclass=sa.NullPool).begin() as conn:
        assert 250 <= conn.execute(sa.text("SELECT count(*) FROM sessions")).scalar_one() <= 270
    monkeypatch.setenv("MARKET_CALENDAR", "XXXX")
    assert 2 == write_sessions.main()
    assert "MARKET_CALENDAR is 'XXXX'" in capsys.readouterr().err
