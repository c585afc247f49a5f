"""`capstone certificate`: sign what was passed, and verify what was signed."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from grader.author_commands import shown
from grader.commands import work
from grader.exams.examiner_commands import JUDGES
from grader.exams.standing import Number, Slug, attempt_of

commands = typer.Typer(
    name="certificate", no_args_is_help=True, help="Certify exams, and verify certificates without asking anybody."
)

Key = Annotated[Path, typer.Argument(help="The file of the private key; its public half lies beside it.")]


@commands.command(rich_help_panel=JUDGES)
def key(path: Key) -> None:
    """Make a new key to sign with. Who has the file can sign: keep it where no learner's code runs."""
    from grader.exams import certificates

    public = certificates.make_key(path)
    print(f"{shown(path)} signs, {shown(public)} verifies: give the second to whoever is shown certificates")


@commands.command(rich_help_panel=JUDGES)
def issue(
    slug: Slug,
    holder: Annotated[str, typer.Option(help="Who passed.")],
    issuer: Annotated[str, typer.Option(help="Who says so.")],
    signed_with: Annotated[Path, typer.Option("--key", help="The private key.", exists=True, dir_okay=False)],
    to: Annotated[Path, typer.Option(help="The file to write.")],
    number: Number = 0,
) -> None:
    """Sign the certificate of a passed attempt, for the highest title that its points earn."""
    from grader.domain.attempt import State
    from grader.errors import CertificateBad
    from grader.exams import certificates
    from grader.exams.sitting import Sitting

    for name, said in (("--holder", holder), ("--issuer", issuer)):
        if not said.strip() or not said.isprintable():
            raise CertificateBad(f"{name}: {said!r} names nobody")
    sitting, now = Sitting(work()), datetime.now(UTC)
    attempt = attempt_of(sitting, slug, number)
    if attempt.state_at(now) is not State.PASSED:
        raise CertificateBad(f"attempt {attempt.number} at {slug} is {attempt.state_at(now)}, not passed")
    earned = attempt.certified(sitting.passed_labs())
    if earned is None:
        raise CertificateBad(
            f"attempt {attempt.number} at {slug} has {attempt.share:.0%}: nothing is certified for that"
        )
    if to.exists() or to.is_symlink() or not to.parent.is_dir():
        raise CertificateBad(f"{to} cannot be written: it is there already, or its folder is not")
    certificates.check(signed_with)
    book = sitting.certified(attempt, earned.title, holder)
    signed = certificates.issue(attempt, earned.title, holder, issuer, now, book, signed_with)
    to.write_text(f"{json.dumps(signed, indent=2, ensure_ascii=False)}\n")
    print(f"{shown(to)}: {earned.title}, {holder}")


@commands.command()
def verify(
    certificate: Annotated[Path, typer.Argument(help="The certificate.", exists=True, dir_okay=False)],
    public: Annotated[
        Path,
        typer.Option("--key", help="The public key of who is said to have issued it.", exists=True, dir_okay=False),
    ],
) -> None:
    """Say what a certificate certifies, when it was signed with this key and not changed since. The status is 1 when not."""
    from grader.exams import certificates

    body = certificates.verify(certificate, public)
    exam = body["exam"]
    print(f"{body['title']}: {body['holder']}")
    print(f"{exam['title']}: {exam['points']:g} of {exam['of']} points, {exam['ended_at']}")
    print(f"issued by {body['issuer']}, {body['issued_at']}; the signature of the key {body['key']} holds")
