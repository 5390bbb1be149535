"""What a batch was expected to bring, and sentences about how it was chosen."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.add_column("batches", sa.Column("forecast", sa.JSON(), nullable=True))
    op.add_column("batches", sa.Column("notes", sa.JSON(), nullable=True))
