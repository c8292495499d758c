"""Opening the results database, and what its errors mean to people."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

import sqlalchemy as sa

from harness import views
from harness.errors import StoreError
from harness.schema import OLDEST_VERSION, SCHEMA_VERSION, metadata, revision, revisions, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL, Connection, Engine

BUSY_S = 30
"""How long SQLite waits for another writer; `?timeout=SECONDS` in a URL says otherwise."""

REMEDIES = {
    "SQLITE_FULL": ("the disk is full", "make room and run again: what was written before is kept"),
    "SQLITE_BUSY": ("it is locked by another program", "wait until that has finished, or name another store"),
    "SQLITE_LOCKED": ("it is locked by another program", "wait until that has finished, or name another store"),
    "SQLITE_READONLY": ("it can't be written to", "check who may write to it and its folder, or name another store"),
    "SQLITE_CANTOPEN": ("it can't be opened", "check that its folder exists and may be written to"),
    "SQLITE_NOTADB": ("it is not a database", "name another file"),
    "SQLITE_CORRUPT": ("it is damaged", "try `sqlite3 FILE .recover`, or name another store"),
    "SQLITE_IOERR": ("the disk can't be read or written", "check the disk and run again"),
}
"""What SQLite calls an error (or how that begins), what it means, and what to do."""


def open_database(address: str) -> Engine:
    """Open the database at a SQLAlchemy URL or a file's path (SQLite), and make the tables where there are none.

    Tables of an earlier version are brought up to date, unless that is too old.

    Connections with the execution option `writes` wait for other writers when they begin.

    Raises:
        StoreError: when it can't be opened, is something else, or was written by another version.
    """
    url = _url(address)
    with store_errors(shown(url)):
        engine = _engine(url)
        try:
            _make_ready(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def shown(url: URL) -> str:
    """The database's name for people, without its password."""
    file = url.database if url.get_backend_name() == "sqlite" else None
    return file or url.render_as_string(hide_password=True)


@contextlib.contextmanager
def store_errors(name: str) -> Iterator[None]:
    """Turn the database's errors into a `StoreError` that says what to do."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, ImportError) as error:
        cause = getattr(error, "orig", None) or error
        code = getattr(cause, "sqlite_errorname", "")
        for prefix, (message, hint) in REMEDIES.items():
            if code.startswith(prefix):
                raise StoreError(f"{name}: {message}", hint=hint) from error
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        lacks_driver = isinstance(cause, ImportError | sa.exc.NoSuchModuleError)
        raise StoreError(
            f"{name}: {lines[0]}", hint="install the database's driver" if lacks_driver else None
        ) from error


def _url(address: str) -> URL:
    if "://" not in address:
        return sa.URL.create("sqlite", database=address)
    try:
        return sa.make_url(address)
    except sa.exc.ArgumentError as error:
        scheme = address.partition("://")[0]  # the rest may hold a password
        raise StoreError(f"{scheme}://... is not a database URL", hint="see SQLAlchemy's database URLs") from error


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True)
    if url.database and _is_read_only(Path(url.database)):
        return sa.create_engine(url, creator=partial(_open_to_read, Path(url.database)))
    engine = sa.create_engine(url, connect_args={} if "timeout" in url.query else {"timeout": BUSY_S})

    @sa.event.listens_for(engine, "connect")
    def configure(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # the driver begins no transactions, `begin` does
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            raw.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its lock at once: one that has read before it writes can't wait for another, it fails.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _is_read_only(file: Path) -> bool:
    """Whether a database is there of which this process may change nothing."""
    return file.is_file() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def _open_to_read(file: Path) -> sqlite3.Connection:
    """Connect without the files that SQLite keeps beside a database, unless there are some that hold changes."""
    changes = file.with_name(f"{file.name}-wal")
    still = "" if changes.exists() and changes.stat().st_size else "&immutable=1"
    address = f"file:{quote(str(file.absolute()))}?mode=ro{still}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_S, check_same_thread=False)


def _make_ready(engine: Engine) -> None:
    """See to it that it holds our tables, of today's schema.

    Raises:
        StoreError: when it holds others, or ours of a schema that leads nowhere.
    """
    version = _version(engine)
    if version is None:
        _create(engine)
    elif OLDEST_VERSION <= version < SCHEMA_VERSION:
        from harness.migrations import migrate

        migrate(engine, SCHEMA_VERSION)
    elif version != SCHEMA_VERSION:
        _refuse(shown(engine.url), version)


def _version(engine: Engine) -> int | None:
    """The schema of our tables; None in an empty database.

    Raises:
        StoreError: when there are other tables.
    """
    with engine.begin() as connection:
        tables = sa.inspect(connection).get_table_names()
        if versions.name in tables:
            version: int = connection.execute(sa.select(versions.c.version)).scalar_one()
            return version
    if tables:
        raise StoreError(f"{shown(engine.url)} is a database of something else", hint="name another file or database")
    return None


def _refuse(name: str, version: int) -> NoReturn:
    relation, advice = ("a newer", "update adapt-harness") if version > SCHEMA_VERSION else ("an older", "use that one")
    schemas = f"it has schema {version}, this one knows schema {SCHEMA_VERSION}"
    raise StoreError(
        f"{name} was written by {relation} adapt-harness: {schemas}", hint=f"{advice}, or name another store"
    )


def _create(engine: Engine) -> None:
    try:
        with engine.execution_options(writes=True).begin() as connection:
            metadata.create_all(connection)
            if connection.execute(sa.select(versions.c.version)).first() is None:
                connection.execute(versions.insert(), {"version": SCHEMA_VERSION})
                connection.execute(revisions.insert(), {"version_num": revision(SCHEMA_VERSION)})
                views.create(connection)
    except sa.exc.DBAPIError:
        if _version(engine) is None:
            raise
        _make_ready(engine)  # somebody else made them at the same time
