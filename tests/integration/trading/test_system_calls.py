"""At level `process` a spinning engine takes orders without asking the kernel for anything; at level `disk` it cannot."""

import shutil

import pytest
from loadtests.trading import system_calls

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: apt-get install strace")


def test_a_spinning_engine_makes_no_system_call_an_order() -> None:
    counted = system_calls.measured(1_000)

    assert counted["system_calls"] <= 1_000 // system_calls.ORDERS_A_CALL, counted["table"]


def test_at_level_disk_each_order_is_written_and_synced() -> None:
    counted = system_calls.measured(50, "disk")

    synced = next(line for line in counted["table"].splitlines() if line.endswith(" fdatasync"))
    assert int(synced.split()[3]) == 50
