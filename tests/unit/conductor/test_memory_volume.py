"""What is said of a pod to give it a small file system and to take that away again, and the program that copies there and back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from conductor.cluster import memory_volume
from servers import wait_until

FOLDER = "/var/lib/trading"
SPEC = {
    "containers": [
        {
            "name": "worker",
            "image": "trading:dev",
            "imagePullPolicy": "IfNotPresent",
            "securityContext": {"readOnlyRootFilesystem": True},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": FOLDER}],
        }
    ]
}


def test_the_small_file_system_takes_the_place_of_the_volume_and_gives_it_back() -> None:
    there, back = (one["spec"]["template"]["spec"] for one in memory_volume.patches(SPEC, FOLDER, 80))

    (copier,), (small,) = there["initContainers"], there["volumes"]
    assert {"medium": "Memory", "sizeLimit": "80Mi"} == small["emptyDir"]
    assert [{"mountPath": FOLDER, "name": small["name"]}] == there["containers"][0]["volumeMounts"]
    assert {"data", small["name"]} == {mount["name"] for mount in copier["volumeMounts"]}
    assert ("Always", "trading:dev") == (copier["restartPolicy"], copier["image"])
    assert [{"mountPath": FOLDER, "name": "data"}] == back["containers"][0]["volumeMounts"]
    assert [("delete", copier["name"])] == [(one["$patch"], one["name"]) for one in back["initContainers"]]
    assert [("delete", small["name"])] == [(one["$patch"], one["name"]) for one in back["volumes"]]


def test_what_was_written_meanwhile_is_copied_back_when_the_pod_ends(tmp_path: Path) -> None:
    volume, small = tmp_path / "volume", tmp_path / "small"
    for folder in (volume / "journal", small):
        folder.mkdir(parents=True)
    (volume / "journal" / "1").write_text("first")
    (volume / "journal" / "spare").write_text("zeros")
    with subprocess.Popen([sys.executable, "-S", "-c", memory_volume._COPY, str(volume), str(small)]) as copier:
        wait_until((small / ".copied").exists, what="the volume to be copied")
        copied = sorted(path.name for path in (small / "journal").iterdir())
        os.replace(small / "journal" / "spare", small / "journal" / "2")
        (small / "journal" / "1").write_text("first and more")
        copier.send_signal(signal.SIGTERM)

    assert ["1", "spare"] == copied
    assert 0 == copier.returncode
    kept = {str(path.relative_to(volume)): path.read_text() for path in volume.rglob("*") if path.is_file()}
    assert {"journal/1": "first and more", "journal/2": "zeros"} == kept


def test_a_folder_is_measured_filled_and_freed(tmp_path: Path) -> None:
    (tmp_path / "ballast").write_bytes(bytes(3 << 20))

    def said(program: str) -> str:
        run = [sys.executable, "-S", "-c", program, str(tmp_path)]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout

    assert "3\n" == said(memory_volume._USED)
    said(memory_volume._FREE)
    assert [] == list(tmp_path.iterdir())
