"""The keeper makes snapshots and signed heads while others write, and finds what a replay would not give."""

import pytest
from loadtests.trading.driven_engine import driven, order, shard

from fakes.full_disk import full_disk
from trading.adapters.journal.heads import kept
from trading.adapters.journal.verification import verify
from trading.adapters.snapshots import newest
from trading.domain.terms import Input
from trading.processes import keeper as keeper_module
from trading.processes.keeper import Keeper
from trading.usecases import replay as replay_module
from trading.usecases.replay import ReplayDiffers


def test_snapshots_and_signed_heads(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper_module, "BLOCKS", 1)
    key = tmp_path / "key"
    key.write_bytes(b"a key of the auditor's")
    settings = shard(tmp_path, heads=tmp_path / "elsewhere" / "heads", heads_key=key, snapshot_inputs=100)
    with driven(settings) as engine:
        engine.open_market()
        engine.send(*(order(number) for number in range(1, 501)))
        engine.outcomes(500)
        keeper = Keeper(settings)
        rounds = 1
        while keeper.round(0.0):
            rounds += 1
        early = newest(settings.snapshots).sequence
        engine.end()
    while keeper.round(10.0):
        pass

    assert rounds > 1
    heads = list(kept(settings.heads, key.read_bytes()))
    assert early >= 100
    assert heads[-1].last_sequence == verify(settings.journal).records
    assert [] == verify(settings.journal, heads).findings
    assert (settings.journal / "spare").exists()


def test_a_full_disk_costs_what_would_be_written_and_not_the_keeper(tmp_path, caplog):
    settings = shard(tmp_path, snapshot_inputs=100)
    with driven(settings) as engine:
        engine.open_market()
        engine.send(*(order(number) for number in range(1, 201)))
        engine.outcomes(200)
        engine.end()
    keeper = Keeper(settings)
    with full_disk():
        keeper.round(0.0)
        keeper.round(1.0)
    depth = settings.folder / "depth" / "1.json"
    written_in_vain = depth.exists()
    keeper.round(10.0)

    assert (False, True) == (written_in_vain, depth.exists())
    assert ["depth"] == [
        one.what for one in caplog.records if one.message == "keeper_cannot_write" and one.what == "depth"
    ]


def test_an_outcome_that_a_replay_does_not_give(tmp_path, monkeypatch):
    settings = shard(tmp_path)
    with driven(settings) as engine:
        engine.open_market()
        engine.send(order(1))
        engine.outcomes(1)
        engine.end()
    (newest_snapshot,) = settings.snapshots.glob("*.json")
    newest_snapshot.unlink()

    class Other(replay_module.Engine):
        def apply(self, record):
            return [] if record[0] == Input.NEW else super().apply(record)

    keeper = Keeper(settings)
    keeper._engine = Other()
    with pytest.raises(ReplayDiffers, match=str(int(Input.NEW))):
        keeper.round(0.0)
