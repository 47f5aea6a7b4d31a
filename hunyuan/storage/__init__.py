"""Finished images: the original files on disk, and copies in the user's own store."""
