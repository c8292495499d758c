"""Stores of every schema that can be opened: brought up to date whole, by one of all who open them, or not at all.

`old_stores` holds what the harness wrote when it had these schemas, as SQL.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from harness import migrations, views
from harness.database import open_database
from harness.messages import ChunkScored
from harness.records import Component, Costs, Estimate, LabelBudget, Prediction, Usage
from harness.schema import OLDEST_VERSION, SCHEMA_VERSION, metadata, revision
from harness.store import Store

OLD = Path(__file__).with_name("old_stores")
VERSIONS = range(OLDEST_VERSION, SCHEMA_VERSION)
KEY = "a" * 64


def old_store(folder: Path, version: int) -> Path:
    path = folder / "harness.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript((OLD / f"schema_{version}.sql").read_text(encoding="utf-8"))
        raw.execute("PRAGMA journal_mode = WAL")
    return path


def rows(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute(query).fetchall()


def stands_at(path: Path) -> tuple[list[tuple], list[tuple]]:
    stamps = rows(path, "SELECT name FROM sqlite_master WHERE name = 'alembic_version'")
    return rows(path, "SELECT version FROM harness_schema"), stamps and rows(path, "SELECT * FROM alembic_version")


HEAD = ([(SCHEMA_VERSION,)], [(revision(SCHEMA_VERSION),)])


def differences(engine: sa.Engine) -> list:
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), metadata)


# --- what comes of an old store ------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_store_has_the_tables_and_views_of_a_new_one(tmp_path, version):
    path, new = old_store(tmp_path, version), tmp_path / "new.db"
    for one in (path, new):
        engine = open_database(str(one))
        assert differences(engine) == []
        engine.dispose()
        assert stands_at(one) == HEAD
    defined = "SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY name"
    assert rows(path, defined) == rows(new, defined) != []
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_store_keeps_its_results_and_takes_new_ones(tmp_path, version):
    with Store(str(old_store(tmp_path, version))) as store:
        result, failed, refused = store.results(run=1)
        assert (failed.status, failed.reason) == ("failed", "the loss is not finite")
        assert (refused.status, refused.reason) == ("not-applicable", "it can't be trained")
        assert result.trial.strategy == Component("finetune", None, {"train_size": 8})
        assert result.trial.baselines == {"its baseline" if version == 2 else "zero-shot": "b" * 64}
        assert result.metrics["cross_entropy"] == Estimate(2.0, 1.0, float("inf"))
        assert result.latency == {"single-stream": {"p50_ms": 12.5, "p99_ms": None}}
        assert result.costs == (Costs(1.5, 20.0) if version < 4 else Costs(1.5, 20.0, 2.5, 40, 900))
        assert result.budget == (None if version < 3 else LabelBudget(8, 2))
        assert result.details == ({} if version < 4 else {"search": {"rungs": [1, 2], "best": "inf"}})
        assert result.manifest == ({} if version < 7 else {"task": "bbc-news"})
        assert (result.clean is None) == (version < 9)

        said = store.predictions(KEY)
        assert [one.prediction for one in said] == ["sport", "sport", "sport", None]
        assert [one.latency_ms for one in said] == [4.5, 12.0, 4.5, 4.5]
        assert {one.text for one in said} == {"it's sport;\nsays “it”"}
        assert {(one.scores, one.usage) for one in said} == {((-0.5, -1.25, float("-inf")), Usage(7, 3, 2, 1))}
        assert said[2].cluster == (None if version < 5 else "passage-1")
        assert said[2].correct == (version < 8)
        timing = store.progress(KEY).timings[1]
        assert (timing.seconds, timing.cpu_s) == (0.5, None if version < 6 else 0.75)

        store.apply(ChunkScored(KEY, (4,), (Prediction("row-4", "a", "b", cluster="c", judged=True),), None))
        assert (store.predictions(KEY)[-1].cluster, store.predictions(KEY)[-1].judged) == ("c", True)


def test_there_is_an_old_store_of_each_schema_and_a_way_from_each():
    assert {path.name for path in OLD.iterdir()} == {f"schema_{version}.sql" for version in VERSIONS}
    scripts = ScriptDirectory(migrations.FOLDER)
    assert scripts.get_current_head() == revision(SCHEMA_VERSION)
    assert scripts.get_base() == revision(OLDEST_VERSION)
    assert len(list(scripts.walk_revisions())) == len(VERSIONS) + 1


# --- what else may happen ------------------------------------------------------------------------------


OPEN = """
    import sys
    from harness.store import Store

    with Store(sys.argv[1]) as store:
        assert len(store.results()) == 3
    print("alembic" in sys.modules)
"""


def opened(path: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(OPEN), str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_several_who_open_an_old_store_at_once_one_brings_it_up_to_date(tmp_path):
    path = old_store(tmp_path, OLDEST_VERSION)
    for process in [opened(path) for _ in range(5)]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert stands_at(path) == HEAD
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_alembic_is_loaded_for_an_old_store_alone(tmp_path):
    path = old_store(tmp_path, OLDEST_VERSION)
    loaded = [opened(path).communicate(timeout=60)[0].strip() for _ in range(2)]
    assert loaded == ["True", "False"]


def test_what_stops_on_the_way_leaves_the_old_store(tmp_path, monkeypatch):
    path = old_store(tmp_path, 4)
    before = rows(path, "SELECT name, sql FROM sqlite_master ORDER BY name")

    def stopped(connection):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(views, "create", stopped)
        with pytest.raises(KeyboardInterrupt):
            Store(str(path))
    assert rows(path, "SELECT name, sql FROM sqlite_master ORDER BY name") == before
    assert stands_at(path) == ([(4,)], [])
    with Store(str(path)) as store:
        assert len(store.results()) == 3


REBUILT = """
import sqlalchemy as sa
from alembic import op

revision = "{new}"
down_revision = "{old}"


def upgrade():
    with op.batch_alter_table("trials") as trials:
        trials.alter_column("reason", new_column_name="why", type_=sa.String(1000), existing_type=sa.Text)
"""


def test_a_table_that_others_refer_to_can_be_replaced(tmp_path, monkeypatch):
    """As a change needs it that SQLite has no statement for; no schema so far had one."""
    path, folder = tmp_path / "harness.db", tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, folder)
    old, new = revision(SCHEMA_VERSION), revision(SCHEMA_VERSION + 1)
    (folder / "versions" / "next.py").write_text(REBUILT.format(old=old, new=new))
    monkeypatch.setattr(migrations, "FOLDER", folder)
    monkeypatch.setattr(views, "create", lambda connection: None)
    engine = open_database(str(old_store(tmp_path, 9)))
    migrations.migrate(engine, SCHEMA_VERSION + 1)
    with engine.connect() as connection:  # the same connection as before: it looks after foreign keys again
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    engine.dispose()
    assert rows(path, "SELECT why FROM trials ORDER BY id")[1] == ("the loss is not finite",)
    assert rows(path, "SELECT count(*) FROM predictions JOIN trials ON trials.id = trial") == [(4,)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert stands_at(path) == ([(SCHEMA_VERSION + 1,)], [(new,)])


# --- PostgreSQL ----------------------------------------------------------------------------------------


@pytest.fixture
def postgresql(monkeypatch):
    """A schema of its own in the database that POSTGRESQL_URL names."""
    address = os.environ.get("POSTGRESQL_URL")
    if not address:
        pytest.skip("POSTGRESQL_URL names no database to test with")
    url = sa.make_url(address)
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS harness_test CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA harness_test")
    yield url.update_query_dict({"options": "-csearch_path=harness_test"}).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA harness_test CASCADE")
    admin.dispose()


def copied(path: Path, url: str) -> None:
    """The tables of an old store as they would be in another database, with their rows."""
    old = sa.MetaData()
    with sa.create_engine(f"sqlite:///{path}").connect() as source, sa.create_engine(url).begin() as target:
        old.reflect(source)
        for table in old.tables.values():
            table.dialect_options["sqlite"]["with_rowid"] = True
            for column in table.columns:
                column.type = column.type.as_generic()
        old.create_all(target)
        for table in old.sorted_tables:
            if found := [row._asdict() for row in source.execute(sa.select(table))]:
                target.execute(table.insert(), found)


@pytest.mark.parametrize("version", VERSIONS)
def test_postgresql_is_brought_up_to_date_too(tmp_path, postgresql, version):
    copied(old_store(tmp_path, version), postgresql)
    for process in [opened(postgresql) for _ in range(3)]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with Store(postgresql) as store:
        assert len(store.predictions(KEY)) == 4
    engine = open_database(postgresql)
    assert [change for change in differences(engine) if change[0] != "modify_type"] == []
    with engine.connect() as connection:
        (score, loss) = connection.exec_driver_sql("SELECT value, high FROM named_scores ORDER BY metric DESC")
        assert (tuple(score), tuple(loss)) == ((0.5, 0.6), (2.0, float("inf")))
        named = connection.exec_driver_sql("SELECT model, sample_id, correct FROM named_predictions ORDER BY position")
        assert named.all()[3] == ("tfidf-lr", "row-3", False)
    engine.dispose()


def test_several_processes_make_one_new_store_in_postgresql(postgresql):
    script = OPEN.replace("== 3", "== 0")
    command = [sys.executable, "-c", textwrap.dedent(script), postgresql]
    for process in [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    engine = open_database(postgresql)
    assert differences(engine) == []
    engine.dispose()
