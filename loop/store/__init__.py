"""Where campaigns live: SQLModel rows in SQLite or PostgreSQL, and content-addressed files.

`engine.open_storage` opens a database, `schema` moves it between versions, `files` keeps
snapshots and inputs, `backup` makes one file of everything and back. SQLModel, SQLAlchemy and
Alembic are imported here and nowhere else.
"""
