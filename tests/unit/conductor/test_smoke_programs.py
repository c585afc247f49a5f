"""A smoke test tells in one sentence that nothing answers, and ends in its line of JSON."""

import json
import os
import subprocess
import sys

from tests.servers import free_port


def test_an_api_that_is_away_is_one_sentence() -> None:
    program = [sys.executable, "-m", "conductor.capstones.orders.smoke", "--api", f"http://127.0.0.1:{free_port()}"]
    environment = os.environ | {"OPERATOR_TOKEN": "of-nobody"}

    ended = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60)

    assert 1 == ended.returncode, ended.stderr
    assert 1 == len(ended.stderr.splitlines()), ended.stderr
    assert 1 == json.loads(ended.stdout.splitlines()[-1])["errors"]
