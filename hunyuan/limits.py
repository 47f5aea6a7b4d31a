"""The numbers that hold everywhere: what the API takes and costs, and how long something counts. Light: read first."""

from __future__ import annotations

HUNYUAN_MODEL = "hunyuan-image-3"  # the value of `model` for Hunyuan Image 3
CREDITS_PER_TASK = 25  # credits an image, generate and edit alike (vendor's model page, 2026)
MAX_PROMPT_CHARACTERS = 2000  # vendor's model page
MIN_SIDE, MAX_SIDE = 256, 1536  # pixels a side (upstream's documentation)
MOST_PIXELS = 36_000_000  # of any picture that is decoded; a result's largest is 2.4 million
MOST_IMAGES = 16  # of one task that are fetched; a model's entry may say less
MOST_LINKS = 64  # of one task that are written down
MAX_SEED = 2**31 - 1  # a sibling upstream model's bound; ours is undocumented
GIVEN_UP_AFTER = 8 * 86400.0  # seconds; upstream keeps results 7 days
SLOT_PATIENCE = 600.0  # seconds after which a task that is still open no longer counts as in flight
LONGEST_RETRY_AFTER = 900.0  # seconds that are believed: a wrong clock must not stop everything for days
MAX_INPUT_IMAGES = 2  # of an edit (vendor's model page)
