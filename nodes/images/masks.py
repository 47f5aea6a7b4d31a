"""A MASK as the picture that a model's mask field takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...hunyuan.errors import InputImageError
from ...hunyuan.sentences import say

if TYPE_CHECKING:
    import torch


def mask_image(name: str, value: object) -> torch.Tensor:
    """An IMAGE [1,H,W,3] of a MASK [H,W] or [1,H,W]: white where it is 1, which is where the model edits.

    Raises InputImageError for what is no MASK of one item.
    """
    import torch

    if isinstance(value, torch.Tensor) and value.ndim == 2:
        value = value.unsqueeze(0)
    if not isinstance(value, torch.Tensor) or value.ndim != 3 or value.shape[0] != 1 or not _has_values(value):
        from ..input_values import described

        raise InputImageError(
            say("{name} must be a MASK of one item, got {got}.", name=name, got=described(value)),
            do=say(
                "Look at what is linked to {name}; a batch of masks gives one with a node that takes an item of it.",
                name=name,
            ),
        )
    return value.to(torch.float32).unsqueeze(-1).expand(-1, -1, -1, 3)


def _has_values(mask: torch.Tensor) -> bool:
    """Whether it holds shares from 0 to 1, or yes and no, that can be read."""
    import torch

    of_a_mask = mask.dtype.is_floating_point or mask.dtype == torch.bool
    return of_a_mask and mask.numel() > 0 and not mask.is_meta and mask.layout is torch.strided
