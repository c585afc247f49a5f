"""Another password at the database and at the broker, while orders keep coming: every pool is rolled, and nobody notices."""

from playing import staged

from conductor.cluster import secret_rotation
from conductor.cluster.install import Installation
from conductor.cluster.runtime import KubernetesRuntime


def test_passwords_are_rotated_under_load_without_a_failed_request(
    runtime: KubernetesRuntime, installation: Installation
) -> None:
    before = installation.kubectl.secret("orders") or {}
    with staged(runtime) as stage:
        with stage.orders():
            for what in ("database", "broker"):
                stage.await_open()
                secret_rotation.rotate(installation, what, stage.story.tell)
                stage.await_progress()
        findings = stage.verdict().findings
    after = installation.kubectl.secret("orders") or {}

    assert 0 == stage.status["asked_again"], stage.status["why"]
    assert [] == list(findings)
    assert {"DATABASE_URL", "BROKER_URL"} == {name for name in before if before[name] != after[name]}
