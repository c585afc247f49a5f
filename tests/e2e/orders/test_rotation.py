"""Another password at the database and at the broker, while orders keep coming: every pool is rolled, and nobody notices."""

from playing import played_with, staged

from conductor.cluster import secret_rotation
from conductor.cluster.installation import Installation
from conductor.cluster.runtime import KubernetesRuntime


@played_with(0)
def test_passwords_are_rotated_under_load_without_a_failed_request(
    runtime: KubernetesRuntime, installation: Installation
) -> None:
    before = installation.kubectl.secret("orders") or {}
    with staged(runtime) as session:
        with session.load():
            for what in ("database", "broker"):
                session.await_loaded()
                secret_rotation.rotate(installation, runtime.capstone, what, session.reporter.tell)
                session.await_progress()
        findings = session.verdict().findings
    after = installation.kubectl.secret("orders") or {}

    assert 0 == session.status["asked_again"], session.status["why"]
    assert [] == list(findings)
    assert {"DATABASE_URL", "BROKER_URL"} == {name for name in before if before[name] != after[name]}
