"""What Alembic runs: the migrations, on the connection that `loop.store.schema` hands over."""

from alembic import context

from loop.store.schema import VERSION_TABLE
from loop.store.tables import Row


def run() -> None:
    """Run the migrations inside the transaction that is open already."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Row.metadata,
        version_table=VERSION_TABLE,
        # SQLite alters a table by copying it.
        render_as_batch=True,
    )
    context.run_migrations()


run()
