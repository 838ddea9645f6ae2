"""The schema's history (Alembic), and ``python -m migrations``: bring a database to the newest schema."""
