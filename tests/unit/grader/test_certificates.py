"""A certificate says what was passed, and a change of anything in it is found."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from grader.domain.attempt import Happened, attempts
from grader.domain.exam import Certified, Exam, Part, PartKind
from grader.errors import CertificateBad
from grader.exams import certificates

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
EXAM = Exam(
    slug="some",
    title="Some",
    pass_share=0.8,
    most_attempts=2,
    cool_off=timedelta(hours=1),
    lasts=timedelta(days=1),
    parts=(Part("knowledge", "Questions", PartKind.QUESTIONS, minutes=30, points=30),),
    certificates=(Certified("Developer", 0.8),),
    version="v1",
)


def issued(key: Path, right: int = 9, holder: str = "Jo Ärmel") -> dict[str, Any]:
    begun = {"seed": 1, "versions": {"some": "v1"}, "asked": {"knowledge": 10}, "drawn": {}}
    of = {"attempt": 1, "part": "knowledge"}
    told = [("exam_begun", begun), ("exam_opened", of)]
    told += [("exam_answered", of | {"question": str(n), "right": n < right}) for n in range(10)]
    told += [("exam_closed", of)]
    events = [Happened(NOW - timedelta(hours=1), kind, "some", body) for kind, body in told]
    book = {"events": len(events), "hash": "0" * 64}
    return certificates.issue(attempts(EXAM, events)[0], "Developer", holder, "A school", NOW, book, key)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    certificates.make_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def certificate(key: Path, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(issued(key), indent=2))
    return path


def test_what_was_issued_is_verified_with_the_public_key_alone(certificate: Path, key: Path) -> None:
    key.unlink()

    body = certificates.verify(certificate, key.with_name("key.public"))

    assert ("Developer", "Jo Ärmel", 27.0, 30) == (
        body["title"],
        body["holder"],
        body["exam"]["points"],
        body["exam"]["of"],
    )


def test_only_the_owner_may_read_the_key(key: Path) -> None:
    assert 0o600 == stat.S_IMODE(key.stat().st_mode)
    with pytest.raises(CertificateBad, match="a key is never overwritten"):
        certificates.make_key(key)
    key.unlink()
    with pytest.raises(CertificateBad, match=r"key.public is there already"):
        certificates.make_key(key)
    with pytest.raises(CertificateBad, match="No such file or directory"):
        certificates.make_key(key.parent / "nowhere" / "key")


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for name, one in items for path in paths(one, (*above, name))] or [above]


def test_a_change_of_any_value_is_found(certificate: Path, key: Path) -> None:
    whole = json.loads(certificate.read_text())
    every = [path for path in paths(whole) if path != ("signature",)]
    assert len(every) >= 15
    for path in every:
        changed = json.loads(certificate.read_text())
        at = changed
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = f"{at[path[-1]]}1" if isinstance(at[path[-1]], str) else at[path[-1]] + 1
        certificate.with_name("changed.json").write_text(json.dumps(changed))

        with pytest.raises(CertificateBad, match=r"changed after it was signed|signed with the key"):
            certificates.verify(certificate.with_name("changed.json"), key.with_name("key.public"))


def test_the_order_and_the_spaces_of_the_file_do_not_matter(certificate: Path, key: Path) -> None:
    read = json.loads(certificate.read_text())
    certificate.write_text(json.dumps(dict(reversed(read.items()))))

    assert "Developer" == certificates.verify(certificate, key.with_name("key.public"))["title"]


def test_a_name_that_stands_there_twice_is_refused(certificate: Path, key: Path) -> None:
    certificate.write_text(certificate.read_text().replace("{", '{"holder": "Al Doe",', 1))

    with pytest.raises(CertificateBad, match="a name stands there twice among holder"):
        certificates.verify(certificate, key.with_name("key.public"))


def test_a_certificate_of_another_key_is_refused(certificate: Path, tmp_path: Path) -> None:
    other = certificates.make_key(tmp_path / "other")

    with pytest.raises(CertificateBad, match=r"signed with the key '[0-9a-f]{32}', and .*other.public is [0-9a-f]{32}"):
        certificates.verify(certificate, other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"signature": 1, "key": "x"}',
        '{"signature": "?"}',
        '{"signature": "", "key": NaN}',
        '{"signature": "", "key": "\\ud800"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_certificate_is_named(key: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "none.json").write_text(text)

    with pytest.raises(CertificateBad, match=r"none.json: no certificate"):
        certificates.verify(tmp_path / "none.json", key.with_name("key.public"))


def test_what_is_no_key_is_named(certificate: Path, tmp_path: Path) -> None:
    curve = tmp_path / "curve"
    curve.write_bytes(
        generate_private_key(SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )

    for path, said in ((certificate, "no public key"), (curve, "not an Ed25519 key")):
        with pytest.raises(CertificateBad, match=said):
            certificates.verify(certificate, path)
        with pytest.raises(CertificateBad, match="no private key"):
            issued(path)


def test_nothing_is_certified_that_was_not_passed(key: Path) -> None:
    with pytest.raises(CertificateBad, match="attempt 1 at some is failed, not passed"):
        issued(key, right=7)
