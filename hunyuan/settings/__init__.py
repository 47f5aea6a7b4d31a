"""The user's settings: read, checked, saved; secrets never shown."""
