"""Alembic's environment. To add a migration: write `versions/000N_what.py`, and raise `schema.HEAD`."""
