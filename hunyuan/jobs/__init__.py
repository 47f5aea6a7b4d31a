"""A paid task's life: from a request to its image on disk, whoever waits."""
