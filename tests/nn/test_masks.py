"""deep.nn.masks: dropout masks are what the uniforms of the same keys say."""

import pytest
import torch

from deep.core.randomness import uniforms
from deep.nn import masks
from deep.nn.masks import kept

KEYS = torch.tensor([0, 5, 2**63 - 1, -17])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.999999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_kept_is_what_the_uniforms_say(share: float, dtype: torch.dtype, monkeypatch) -> None:
    """In pieces of 64 pairs and a rest, also at numbers that equal the share."""
    monkeypatch.setattr(masks, "PIECE", 64)
    torch.set_default_dtype(dtype)
    try:
        numbers = uniforms(KEYS, 7, 31)
        for least in (share, numbers[0, 3, 4].item()):
            assert torch.equal(kept(KEYS, least, 7, 31), (numbers >= least).to(dtype))
    finally:
        torch.set_default_dtype(torch.float32)
