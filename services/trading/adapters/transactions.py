"""A transaction whose failure is one of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from chassis.database_errors import ERRORS, Kind, kind_of, reason
from chassis.errors import Transient


@contextmanager
def begun(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that is committed at the end. Raises Transient when the database cannot do it now."""
    try:
        with engine.begin() as conn:
            yield conn
    except ERRORS as error:
        if kind_of(error) is Kind.FAULT:
            raise
        raise Transient(f"the database failed: {reason(error)}") from error
