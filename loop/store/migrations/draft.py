"""Draft the next migration from what `loop.store.tables` says: for developers.

`python -m loop.store.migrations.draft "add a column"` writes a file into `versions`. Check it
by hand before you commit it: check constraints, server defaults of new NOT NULL columns and
data are not seen; use `sa.Text()` where it says `AnyText()` and `sa.DateTime(timezone=True)`
where it says `UtcTime()`; then set `HEAD` in `loop/store/schema.py`.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from loop.store.connection import connect, writing
from loop.store.schema import MIGRATIONS, known_versions, migrate


def draft(why: str, migrations: Path = MIGRATIONS) -> Path:
    """Write the next migration below `migrations` and return its path."""
    newest = known_versions()[0]
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{folder}/draft.db")
        with writing(engine).begin() as connection:
            migrate(connection, newest)
            config = Config()
            config.set_main_option("script_location", str(migrations).replace("%", "%%"))
            config.attributes["connection"] = connection
            number = f"{int(newest) + 1:04d}"
            script = command.revision(config, why, autogenerate=True, rev_id=number)
        engine.dispose()
    if script is None or isinstance(script, list):
        msg = f"Alembic wrote {script!r} where one migration was expected."
        raise RuntimeError(msg)
    return Path(script.path)


if __name__ == "__main__":
    sys.stdout.write(f"{draft(sys.argv[1])}\n")
