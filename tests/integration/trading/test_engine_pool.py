"""The engine pool as `celery worker` runs it: it owns a shard, tells its state by the heartbeat, and hands the journal over at its end."""

import os
import signal
import time
from pathlib import Path

from engine_pool import EnginePool
from fix_client import FixClient

from servers import free_port
from trading.adapters.journal.reader import records
from trading.adapters.journal.verification import verify
from trading.adapters.snapshots import newest


def test_a_dead_child_is_told_apart_and_replaced_and_the_end_hands_the_journal_over(pool: EnginePool) -> None:
    client = FixClient(pool.fix_port)
    client.log_on()
    client.order(1)
    assert client.receive("8").get(150) == b"0"
    assert pool.ready()
    before = pool.children()

    os.kill(before["engine"].pid, signal.SIGKILL)

    # The trouble itself may last only 0.1 s, too short for a look at the heartbeat's file.
    pool.until(lambda: pool.metric("trading_shard_replacements_total") >= 1 and pool.metric("trading_shard_ready") == 1)
    pool.until(lambda: pool.state == "idle")
    assert '"reason": "engine ended with -9", "event": "companion_in_trouble"' in pool.log()
    # The order before the kill, and the limits: what the dead engine counted is not forgotten.
    pool.until(lambda: pool.metric("trading_engine_input_duration_seconds_count") >= 6)
    client = FixClient(pool.fix_port, 1, client.next_out)
    client.log_on()
    client.order(2)
    assert client.receive("8").get(150) == b"0"

    children = pool.children()
    pool.process.terminate()

    assert pool.process.wait(20) == 0
    assert not any(child.is_running() for child in children.values())
    last = max(sequence for sequence, _ in records(pool.data / "journal"))
    assert last == newest(pool.data / "snapshots").sequence
    assert verify(pool.data / "journal").findings == []


def test_orders_are_taken_while_the_broker_is_away(tmp_path: Path) -> None:
    pool = EnginePool(tmp_path, f"amqp://nobody:nothing@127.0.0.1:{free_port()}//")
    try:
        pool.until(lambda: pool.state == "serving")
        pool.open_market()
        client = FixClient(pool.fix_port)
        client.log_on()
        client.order(1)

        assert client.receive("8").get(150) == b"0"
        assert pool.ready()
        os.kill(pool.children()["engine"].pid, signal.SIGKILL)
        began = time.monotonic()
        pool.until(lambda: pool.metric("trading_shard_replacements_total") >= 1)
        pool.until(pool.ready)
        assert time.monotonic() - began < 10
    finally:
        pool.end()


def test_a_shard_in_a_deep_folder_takes_what_operators_say(tmp_path: Path, redis_url: str) -> None:
    """A Unix socket's address holds 107 bytes; a checkout may lie deeper."""
    folder = tmp_path / ("deep " * 12).strip() / ("deeper " * 12).strip()
    folder.mkdir(parents=True)
    pool = EnginePool(folder, redis_url)
    try:
        pool.until(lambda: pool.state == "idle")
        pool.open_market()
        client = FixClient(pool.fix_port)
        client.log_on()
        client.order(1)
        assert client.receive("8").get(150) == b"0"
    finally:
        pool.end()
