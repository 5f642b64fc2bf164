"""The database: call and case facts, each stored once. SQLAlchemy and Alembic live only here."""
