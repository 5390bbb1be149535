"""The first version: campaigns, batches, dispatches, results, snapshots and the log."""

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("readouts", sa.JSON(), nullable=False),
        sa.Column("library_hash", sa.Text(), nullable=False),
        sa.Column("embeddings_hash", sa.Text(), nullable=True),
        sa.Column("batch", sa.JSON(), nullable=False),
        sa.Column("surrogate", sa.JSON(), nullable=False),
        sa.Column("acquisition", sa.JSON(), nullable=False),
        sa.Column("lab", sa.JSON(), nullable=False),
        sa.Column("retrain", sa.JSON(), nullable=False),
        sa.Column("budget", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("budget >= 0", name=op.f("ck_campaigns_budget")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_campaigns_version")),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("name", name="uq_campaigns_name"),
    )
    op.create_table(
        "log_entries",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_entries"),
    )
    op.create_index("ix_log_entries_campaign", "log_entries", ["campaign"])
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("surrogate", sa.Text(), nullable=False),
        sa.Column("acquisition", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("replicates", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("scores", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("replicates >= 1", name=op.f("ck_batches_replicates")),
        sa.ForeignKeyConstraint(["campaign"], ["campaigns.name"], name="fk_batches_campaigns"),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.UniqueConstraint("campaign", "number", name="uq_batches_campaign_number"),
    )
    op.create_table(
        "results_files",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("superseded", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("ingested_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign"], ["campaigns.name"], name="fk_results_files_campaigns"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_results_files"),
        sa.UniqueConstraint("campaign", "sha256", name="uq_results_files_campaign_sha256"),
    )
    op.create_table(
        "snapshots",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("surrogate", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("observations", sa.BigInteger(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stale", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaigns.name"], name="fk_snapshots_campaigns"),
        sa.PrimaryKeyConstraint("campaign", "id", name="pk_snapshots"),
        sa.UniqueConstraint("campaign", "number", name="uq_snapshots_campaign_number"),
    )
    op.create_table(
        "dispatches",
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("layout_seed", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"], name="fk_dispatches_batches"),
        sa.PrimaryKeyConstraint("batch", name="pk_dispatches"),
        sa.UniqueConstraint("key", name="uq_dispatches_key"),
    )
    op.create_table(
        "measurements",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=False),
        sa.Column("well", sa.Text(), nullable=False),
        sa.Column("readout", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("unit", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("measured_at", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("flag", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "status <> 'ok' OR value IS NOT NULL", name=op.f("ck_measurements_ok_has_a_value")
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_measurements_revision")),
        sa.ForeignKeyConstraint(
            ["campaign", "source"],
            ["results_files.campaign", "results_files.sha256"],
            name="fk_measurements_results_files",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_measurements"),
        sa.UniqueConstraint(
            "campaign",
            "plate",
            "well",
            "readout",
            "revision",
            name="uq_measurements_campaign_plate_well_readout_revision",
        ),
    )
    op.create_table(
        "rejected_rows",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign", "source"],
            ["results_files.campaign", "results_files.sha256"],
            name="fk_rejected_rows_results_files",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rejected_rows"),
    )
    op.create_index("ix_rejected_rows_campaign", "rejected_rows", ["campaign"])
    op.create_table(
        "plates",
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("barcode", sa.Text(), nullable=False),
        sa.Column("format", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("format IN (96, 384, 1536)", name=op.f("ck_plates_format")),
        sa.ForeignKeyConstraint(["batch"], ["dispatches.batch"], name="fk_plates_dispatches"),
        sa.PrimaryKeyConstraint("batch", "id", name="pk_plates"),
        sa.UniqueConstraint("batch", "position", name="uq_plates_batch_position"),
    )
    op.create_table(
        "wells",
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("perturbation", sa.Text(), nullable=True),
        sa.Column("replicate", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("replicate >= 1", name=op.f("ck_wells_replicate")),
        sa.ForeignKeyConstraint(
            ["batch", "plate"], ["plates.batch", "plates.id"], name="fk_wells_plates"
        ),
        sa.PrimaryKeyConstraint("batch", "plate", "name", name="pk_wells"),
        sa.UniqueConstraint("batch", "plate", "position", name="uq_wells_batch_plate_position"),
    )
