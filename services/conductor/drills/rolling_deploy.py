"""Every pool is replaced, and replaced again, while requests keep coming: what a deploy does all day must lose nothing."""

from conductor.harness.drill import Drill
from conductor.harness.session import Session


def play(session: Session) -> None:
    """Deploy as often as this session plays: the second deploy replaces processes that were themselves deployed."""
    with session.load():
        for number in range(1, session.deploys + 1):
            session.reporter.phase(f"deploy {number} of {session.deploys}")
            session.deploy(number)
    session.expect_no_failed_request()


DRILL = Drill("rolling-deploy", "rolls every pool twice under load", play)
