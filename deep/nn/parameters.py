"""Parameters in training: a flat tensor with its Adam state and, where asked for, a slowly moving average."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Parameters:
    """The parameters (N, P) of N copies of a network, their Adam moments, and an exponential moving average.

    `tensors` names everything that a checkpoint has to hold. Copies do not interact: Adam is elementwise, and clipping
    uses each row's own norm.
    """

    def __init__(self, initial: Float[Tensor, "n params"], optimiser: "Adam", ema: bool = False) -> None:
        self.theta = initial.clone().requires_grad_(True)
        self.config = optimiser
        device = initial.device
        self.rate = torch.tensor(optimiser.learning_rate, device=device)
        self._moments = {
            "step": torch.zeros((), device=device),
            "exp_avg": torch.zeros_like(initial),
            "exp_avg_sq": torch.zeros_like(initial),
        }
        self._averaged = ema
        self.ema = initial.clone() if ema else self.theta.detach()

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name."""
        named = {"theta": self.theta.detach(), **self._moments}
        return named | ({"ema": self.ema} if self._averaged else {})

    def adam_step(self, gradient: Float[Tensor, "n params"], rate_factor: float | Tensor = 1.0) -> None:
        """One Adam step down the gradient; `rate_factor` scales the learning rate (a schedule's value)."""
        if self.config.clip is not None:
            norm = gradient.norm(dim=1, keepdim=True)
            gradient = gradient * (self.config.clip / norm.clamp(min=self.config.clip))
        self.rate.fill_(self.config.learning_rate).mul_(rate_factor)
        step, mean, square = self._moments.values()
        with torch.no_grad():
            step.add_(1)
            # What torch.optim.AdamW(fused=True) calls. Building that class imports torch's compiler: three seconds.
            torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
                [self.theta],
                [gradient],
                [mean],
                [square],
                [],
                [step],
                lr=self.rate,
                beta1=0.9,
                beta2=0.999,
                weight_decay=self.config.weight_decay,
                eps=1e-8,
                amsgrad=False,
                maximize=False,
            )

    def update_ema(self, tau: float) -> None:
        """Move the average towards the parameters: average <- (1 - tau) average + tau theta."""
        self.ema.lerp_(self.theta.detach(), tau)

    @torch.no_grad()
    def copy_from(self, other: "Parameters", rows: Int[Tensor, " n"]) -> None:
        """Take over these rows of what an earlier phase has learned, and start with fresh moments."""
        self.theta.copy_(other.theta[rows])
        self.ema.copy_(other.ema[rows])
        for moment in self._moments.values():
            moment.zero_()


@dataclass(frozen=True)
class Adam:
    """Adam with decoupled weight decay."""

    learning_rate: float = 3e-4
    """Step size."""
    weight_decay: float = 0.0
    """Decoupled weight decay per step, times the learning rate."""
    clip: float | None = None
    """Largest norm of one replica's gradient; None leaves it alone."""


def gradient(
    loss: Float[Tensor, " n"], parameters: Parameters, retain_graph: bool = False
) -> Float[Tensor, "n params"]:
    """d loss[n] / d theta[n] for every copy at once: copies do not interact, so the gradient of the sum is that."""
    return torch.autograd.grad(loss.sum(), parameters.theta, retain_graph=retain_graph)[0]


def linear_decay(step: Tensor, steps: int) -> Tensor:
    """A factor on the learning rate that falls linearly from 1 to a tenth over a phase."""
    return 1 - 0.9 * step / steps
