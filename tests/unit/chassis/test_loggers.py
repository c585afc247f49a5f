"""What a log costs a process that starts."""

import os
import subprocess
import sys

import pytest

SERVERS = {"DATABASE_URL": "postgresql+psycopg://h/d", "BROKER_URL": "amqp://h/v"}


@pytest.mark.parametrize("module", ["chassis.relay", "chassis.serve", "orders.app"])
def test_a_start_imports_no_rich_although_it_is_installed(module: str) -> None:
    asks = f"import sys, {module}; print('structlog' in sys.modules, 'rich' in sys.modules); import rich"

    ran = subprocess.run(
        [sys.executable, "-c", asks], env={**os.environ, **SERVERS}, capture_output=True, text=True, check=True
    )

    assert ran.stdout.split() == ["True", "False"]
