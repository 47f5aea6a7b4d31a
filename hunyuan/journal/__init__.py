"""The journal: every paid task, in SQLite or PostgreSQL. Loads SQLAlchemy: import it at first use only.

What it hands out, `hunyuan/journal/records.py`, stands outside, because everybody uses it and it is light.
"""

from .journal import Journal

__all__ = ["Journal"]
