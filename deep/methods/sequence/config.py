"""What the configurations of all sequence models have in common."""

from dataclasses import dataclass

from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, check_ranges


@dataclass(frozen=True)
class SequenceConfig:
    """The transformer and its training; `deep.nn.transformer` has the equations."""

    steps: int = 8000
    """Training steps of the transformer."""
    batch_size: int = 64
    """Windows in a minibatch."""
    width: int = 96
    """Width of the tokens."""
    heads: int = 4
    """Attention heads of a block."""
    blocks: int = 2
    """Transformer blocks."""
    learning_rate: float = 1e-3
    """Adam's largest step size."""

    def __post_init__(self) -> None:
        check_ranges(self, steps=AT_LEAST_0, batch_size=AT_LEAST_1, width=AT_LEAST_1, heads=AT_LEAST_1)
        check_ranges(self, blocks=AT_LEAST_1, learning_rate=ABOVE_0)
