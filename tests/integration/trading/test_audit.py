"""What the audit's commands say of a journal that an engine wrote."""

import json

import pytest
from loadtests.trading.driven_engine import SESSION, driven, order, shard

from trading import audit
from trading.adapters.journal.segment import segments
from trading.domain import order_entry
from trading.domain.terms import Input, Side


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shard")
    with driven(shard(folder)) as engine:
        engine.open_market()
        engine.send(order(1, quantity=5), order(2, Side.SELL, account=2, quantity=2), (Input.CANCEL, SESSION, 3, 1))
        engine.outcomes(5)
        engine.end()
    return folder


def test_a_sound_journal(folder, capsys):
    assert 0 == audit.main(["verify", str(folder)])
    said = json.loads(capsys.readouterr().out)
    assert (True, 0) == (said["sound"], said["open_records"])


def test_a_flipped_byte(folder, capsys, tmp_path):
    (tmp_path / "journal").mkdir()
    path = segments(folder / "journal")[0]
    whole = bytearray(path.read_bytes())
    whole[5000] ^= 1
    (tmp_path / "journal" / path.name).write_bytes(whole)

    assert 1 == audit.main(["verify", str(tmp_path)])
    assert "is damaged at offset" in capsys.readouterr().err


def test_the_story_of_an_order(folder, capsys):
    number = next(
        one
        for one in range(1, 99)
        if any("New session=1 client_id=1 " in line for line in audit.story(folder / "journal", one))
    )

    assert 0 == audit.main(["explain", str(folder), str(number)])
    lines = capsys.readouterr().out.splitlines()
    assert ["New", "Acknowledged", "New", "Executed", "Cancel", "Cancelled"] == [
        next(word for word in line.split() if word[0].isupper()) for line in lines
    ]
    assert "quantity=3 reason=REQUESTED" in lines[-1]


def test_an_order_that_is_none(folder, capsys):
    assert 1 == audit.main(["explain", str(folder), "999"])
    assert "order 999" in capsys.readouterr().err


def test_a_replay_gives_the_same(folder, capsys):
    assert 0 == audit.main(["replay", str(folder)])
    assert json.loads(capsys.readouterr().out)["same"]


def test_another_version_stops_where_it_differs(folder, capsys, monkeypatch):
    monkeypatch.setattr(order_entry, "cancelled", lambda order, reason, request, out: None)

    assert 1 == audit.main(["replay", str(folder)])
    said = capsys.readouterr()
    number = json.loads(said.out)["differs_at"]
    assert f"input {number} ({int(Input.CANCEL)}, {SESSION}, 3, 1)" in said.err
