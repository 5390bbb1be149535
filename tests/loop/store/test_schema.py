"""The schema's version: what is made, refused and moved, and that migrations say what rows say."""

import ast
import shutil
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from loop.domain.errors import InvalidError, SchemaVersionError, UnavailableError
from loop.store.connection import connect, writing
from loop.store.engine import open_storage
from loop.store.migrations.draft import draft
from loop.store.schema import HEAD, MIGRATIONS, VERSION_TABLE, upgrade
from loop.store.tables import Row


def _said_by_the_database(connection) -> dict[str, object]:
    looked = inspect(connection)
    tables = sorted(set(looked.get_table_names()) - {VERSION_TABLE})
    return {
        table: {
            "columns": [
                {**column, "type": str(column["type"])} for column in looked.get_columns(table)
            ],
            "key": looked.get_pk_constraint(table),
            "foreign keys": looked.get_foreign_keys(table),
            "unique": sorted(looked.get_unique_constraints(table), key=lambda each: each["name"]),
            "checks": sorted(looked.get_check_constraints(table), key=lambda each: each["name"]),
            "indexes": sorted(looked.get_indexes(table), key=lambda each: each["name"]),
        }
        for table in tables
    }


def test_the_migrations_end_at_the_version_that_the_code_names():
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [HEAD]


def test_alembic_sees_no_difference_between_rows_and_migrations(url):
    upgrade(url)
    engine = connect(url)

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "version_table": VERSION_TABLE,
            },
        )
        assert compare_metadata(context, Row.metadata) == []
    engine.dispose()


def test_migrations_make_the_very_constraints_that_the_rows_name(url):
    """Alembic compares neither check constraints nor names; this does."""
    engine = connect(url)

    with writing(engine).begin() as connection:
        Row.metadata.create_all(connection)
        from_rows = _said_by_the_database(connection)
        Row.metadata.drop_all(connection)
    upgrade(url)
    with engine.connect() as connection:
        from_migrations = _said_by_the_database(connection)
    engine.dispose()

    assert from_migrations == from_rows
    assert from_rows["wells"]["checks"][0]["name"] == "ck_wells_replicate"


def test_upgrading_says_what_was_done(url):
    assert upgrade(url).endswith(f"was created at version {HEAD}.")
    assert upgrade(url).endswith(f"is at version {HEAD} already; nothing was changed.")


def test_a_database_of_a_newer_version_is_refused_and_stays_as_it_was(url):
    upgrade(url)
    _set_version(url, "9999")

    for refused in (open_storage, upgrade):
        with pytest.raises(SchemaVersionError, match=r"9999.*newer"):
            refused(url)

    _set_version(url, HEAD)
    open_storage(url).close()


def test_a_database_of_an_older_version_is_refused_with_the_command_to_run(url, monkeypatch):
    upgrade(url)
    monkeypatch.setattr("loop.store.schema.HEAD", "9999")

    with pytest.raises(SchemaVersionError, match=r"older.*run `pertloop db upgrade`"):
        open_storage(url)


def test_a_database_of_somebody_else_is_refused(url):
    engine = connect(url)
    with writing(engine).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
    engine.dispose()

    for refused in (open_storage, upgrade):
        with pytest.raises(SchemaVersionError, match=r"theirs.*of its own"):
            refused(url)


@pytest.mark.parametrize(
    "address", ["", "nonsense", "mysql://u:secret@h/d", "sqlite://", "sqlite:///:memory:"]
)
def test_an_address_that_is_not_understood_is_refused_without_its_password(address):
    with pytest.raises(InvalidError, match="is not understood; write") as refused:
        open_storage(address)
    assert "secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_said_so_without_the_password():
    with pytest.raises(UnavailableError, match="cannot be reached") as refused:
        open_storage("postgresql://ada:secret@127.0.0.1:1/pertloop")
    assert "secret" not in str(refused.value)


def test_a_postgres_database_that_is_not_there_is_said_so(postgres_url):
    with pytest.raises(UnavailableError, match="does not exist"):
        open_storage(postgres_url.replace("@/test_", "@/no_test_"))


def test_without_the_driver_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(UnavailableError, match=r"pip install 'pertloop\[postgres\]'"):
        open_storage("postgresql://ada@localhost/pertloop")


def test_a_brand_new_database_is_made_with_its_folder(tmp_path):
    open_storage(f"sqlite:///{tmp_path}/a 50% new/home/pertloop.db").close()

    assert (tmp_path / "a 50% new/home/pertloop.db").exists()


def test_the_template_drafts_a_migration_that_is_python(tmp_path):
    copy = shutil.copytree(MIGRATIONS, tmp_path / "migrations")

    drafted = draft("change nothing", copy)

    text = drafted.read_text()
    ast.parse(text)
    assert "import sqlmodel" in text
    assert f"down_revision: str | None = {HEAD!r}" in text
    assert "op." not in text.split("def upgrade")[1]


def test_opening_a_database_loads_neither_torch_nor_prefect_nor_fastapi_nor_alembic(tmp_path):
    open_storage(f"sqlite:///{tmp_path}/pertloop.db").close()
    code = (
        "import sys; from loop.store.engine import open_storage; import loop.store.backup;"
        f"open_storage('sqlite:///{tmp_path}/pertloop.db');"
        "print([each for each in ('torch', 'prefect', 'fastapi', 'alembic', 'pandas')"
        " if each in sys.modules])"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"


def _set_version(url: str, version: str) -> None:
    engine = connect(url)
    with writing(engine).begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")
    engine.dispose()
