"""A transaction whose failure is one of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from chassis.errors import Transient


@contextmanager
def begun(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that is committed at the end. Raises Transient when the database fails."""
    try:
        with engine.begin() as conn:
            yield conn
    except sa.exc.DBAPIError as error:
        raise Transient(f"the database failed: {error.orig}") from error
