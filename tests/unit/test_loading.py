"""How ComfyUI loads the pack: what is left where that fails half-way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.kit.pack import load

pack, catalogue = load("nodes"), load("hunyuan.gateway.models.catalogue")


def test_a_copy_that_fails_to_load_does_not_count_as_the_one_that_serves() -> None:
    server = SimpleNamespace()  # has nothing that routes or hooks could be hung on
    with pytest.raises(AttributeError):
        pack.hook_into(server, catalogue.Catalogue())
    assert not hasattr(server, "hunyuan")
