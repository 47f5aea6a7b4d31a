"""The journal: every paid task, in SQLite or PostgreSQL. journal.py loads SQLAlchemy, records.py is light."""
