"""What dev.py is made of: a development kit that is never imported by the pack.

Standard library only, because it runs before anything is installed.
"""
