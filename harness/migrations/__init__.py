"""Brings a store of an earlier schema up to date, by alembic; imported only where there is one.

Each schema is a revision, a file of `versions` that is named for its number. Programs read the number in the table
`harness_schema`. Alembic's own table follows it: a store that has none gets one, and both change in one transaction.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from harness import views
from harness.schema import revision, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alembic.runtime.migration import RevisionStep
    from sqlalchemy.engine import Connection, Engine

FOLDER = Path(__file__).parent
"""Where alembic finds `versions`."""

log = logging.getLogger(__name__)


def migrate(engine: Engine, to: int) -> None:
    """Bring the tables to schema `to`, in one transaction: afterwards all of it is done, or nothing.

    Whoever else opens the store at the same time waits, and finds nothing left to do.
    """
    scripts = ScriptDirectory(str(FOLDER))

    def steps(current: tuple[str, ...], _context: MigrationContext) -> Iterable[RevisionStep]:
        return scripts._upgrade_revs(revision(to), current)  # type: ignore[arg-type] # as its manual has it

    with _tables_to_be_replaced(engine) as connection:
        found: int = connection.execute(sa.select(versions.c.version).with_for_update()).scalar_one()
        if found >= to:
            return
        context = MigrationContext.configure(connection, opts={"fn": steps})
        views.drop(connection)  # a view would keep its tables from being changed
        context.stamp(scripts, revision(found))
        with Operations.context(context):
            context.run_migrations()
        connection.execute(versions.update().values(version=to))
        views.create(connection)
    log.info("the store was brought from schema %d to %d", found, to)


@contextlib.contextmanager
def _tables_to_be_replaced(engine: Engine) -> Iterator[Connection]:
    """A writing transaction in which a table that others refer to may be dropped for its changed copy.

    That is how SQLite is told most changes (alembic's batches); with its foreign keys on it would refuse.
    """
    with engine.execution_options(writes=True).connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        raw = connection.connection.cursor()  # in a transaction SQLite ignores this
        raw.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
        finally:
            raw.execute("PRAGMA foreign_keys = ON")
            raw.close()
