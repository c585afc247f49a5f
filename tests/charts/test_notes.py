"""What helm prints after an install names every pool, and commands with the release's own names."""

import pytest

from chart_rendering import CHARTS, Helm

FLAGS = ("--dry-run=client", "--namespace", "here", "--set-string", "image.tag=7")


def notes(helm: Helm, chart: str, release: str) -> list[str]:
    done = helm.run("install", release, str(CHARTS / chart), *FLAGS)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:\n")[2].splitlines()


@pytest.mark.parametrize("chart", ["orders", "analytics", "trading"])
def test_the_notes_name_every_pool_and_what_to_type(helm: Helm, chart: str) -> None:
    printed = notes(helm, chart, "mine")

    pools = {line.split()[0] for line in printed if line.startswith("  ")}
    assert f"mine {chart} celery-capstones/{chart}:7 in the namespace here:" == printed[0]
    assert {"api", "beat"} <= pools
    assert (
        f"{'logs':13} kubectl logs --namespace here --selector app.kubernetes.io/instance=mine --prefix --tail 20"
        in printed
    )
    assert f"{'back':13} helm rollback mine --namespace here" in printed
    assert any(line.startswith("migration") for line in printed)


def test_a_request_is_offered_where_the_values_name_one(helm: Helm) -> None:
    offered = f"{'a request':13} helm test mine --namespace here --logs"

    assert offered in notes(helm, "orders", "mine")
    assert offered not in notes(helm, "trading", "mine")


def test_plain_celery_has_no_migration_to_tell_of(helm: Helm) -> None:
    assert not any(line.startswith("migration") for line in notes(helm, "example", "mine"))
