"""What the waiting, the lists, the start, the journal and the conversions cost: `python3 dev.py bench`."""
