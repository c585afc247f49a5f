"""What the doctor says of a machine that can make a box, of one that cannot, and of one that can only without root's rights."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CAPSTONE = str(Path(sys.executable).parent / "capstone")
NO_NAMESPACES = ["unshare", "--user", "--map-root-user", "--", "sh", "-c"]
NO_NAMESPACES += ['echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"']
WITHOUT_ADMIN = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--"]


def said(tmp_path: Path, *argv: str) -> Any:
    environment = {**os.environ, "CAPSTONE_LABS_DIR": str(tmp_path)}
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def box(tmp_path: Path, *before: str) -> tuple[bool, str]:
    findings = {one["what"]: one for one in said(tmp_path, *before, CAPSTONE, "lab", "doctor", "--json")}
    assert all(one["fine"] for one in findings.values() if one["needed"])
    return findings["box"]["fine"], findings["box"]["said"]


def test_a_machine_with_a_box_says_which(tmp_path: Path) -> None:
    fine, what = box(tmp_path)

    assert fine
    assert "learner code is confined: " in what
    assert ("a user id of its own" in what) == (os.geteuid() == 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to be without")
def test_a_root_that_may_not_mount_makes_a_user_namespace(tmp_path: Path) -> None:
    fine, what = box(tmp_path, *WITHOUT_ADMIN)

    assert fine
    assert "a user namespace" in what


def test_a_machine_without_a_box_says_why_and_what_mends_it(tmp_path: Path) -> None:
    fine, what = box(tmp_path, *NO_NAMESPACES)

    assert not fine
    assert "learner code is not confined here (the box did not start: bwrap: " in what
    assert "practice only, it cannot count for an exam or a certificate" in what
    assert "bubblewrap is the only box, docs/confinement-of-labs.md says why" in what
    assert what.endswith("What mends it: sudo sysctl -w user.max_user_namespaces=10000")


def test_a_result_from_a_machine_without_a_box_counts_for_no_exam(tmp_path: Path) -> None:
    said(tmp_path, CAPSTONE, "lab", "start", "async-or-not", "--json")
    result = said(tmp_path, *NO_NAMESPACES, CAPSTONE, "lab", "check", "async-or-not", "--json")

    assert (False, False) == (result["confined"], result["may_count"])
    assert result["why_not_confined"]
