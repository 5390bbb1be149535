"""How the database came to look as it does: one file a version, run by `loop.store.schema`."""
