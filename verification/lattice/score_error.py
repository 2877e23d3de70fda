r"""`python -m verification.lattice.score_error`: how wrong a trained score makes the KL gradient, by noise level.

A `deep.methods.drcorl.score.ScoreNetwork` learns a mixture of two Gaussians whose score is known at every noise level
t. The score is -eps_psi / sigma_t, so an error of the predicted noise counts 1/sigma_t-fold in it, and for the KL
gradient of the preprint's limit t -> 0 that factor is all that is left. Writes score_error.json and score_error.png.
"""

from verification.command import Parser, ends_cleanly

if __name__ == "__main__":  # before the imports that take seconds
    with ends_cleanly():
        Parser("verification.lattice.score_error", __doc__ or "").parse_args()

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from deep.methods.drcorl.score import ScoreNetwork, denoising_loss
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from verification.lattice.mixtures import SCHEDULE, Mixture, at_level, kl_gradient

MIXTURE = Mixture(
    torch.tensor([0.4, 0.6], dtype=torch.float64),
    torch.tensor([[-0.6], [0.5]], dtype=torch.float64),
    torch.tensor([[0.15], [0.25]], dtype=torch.float64),
)
LEVELS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
MEANS = (-0.8, -0.5, -0.2, 0.1, 0.4, 0.7)
"""Means of the policies whose KL gradient is taken; the behaviour's bulk."""
LOG_STD = -1.5


class TrainedScore:
    """A score network after `steps` of denoising on samples of the mixture."""

    def __init__(self, mixture: Mixture, steps: int, seed: int = 0, batch: int = 512) -> None:
        self.network = ScoreNetwork(1, 1, width=48, expansion=2, blocks=2, time_features=32, time_width=32)
        parameters = Parameters(initial_parameters(self.network, [seed], "score").double(), Adam(2e-3), ema=True)
        rng = torch.Generator().manual_seed(seed)
        blank = torch.zeros(1, batch, 1, dtype=torch.float64)
        for step in range(steps):
            actions = mixture.sample(batch, rng).unsqueeze(0)
            t = torch.rand(1, batch, dtype=torch.float64, generator=rng)
            noise = torch.randn(1, batch, 1, dtype=torch.float64, generator=rng)

            def predict(noisy: Tensor, t: Tensor) -> Tensor:
                return self.network.apply(parameters.theta, noisy, t, blank)

            loss = denoising_loss(predict, SCHEDULE, actions, t, noise)
            parameters.adam_step(gradient(loss, parameters), linear_decay(torch.tensor(float(step)), steps))
            parameters.update_ema(0.005)
        self.theta = parameters.ema

    def predictor(self, noisy: Tensor, t: Tensor) -> Tensor:
        """The predicted noise, in the shape of `deep.methods.drcorl.score.Predictor`."""
        with torch.no_grad():
            flat = self.network.apply(
                self.theta, noisy.reshape(1, -1, 1), t.reshape(1, -1), torch.zeros_like(noisy.reshape(1, -1, 1))
            )
        return flat.reshape(noisy.shape)


@dataclass(frozen=True)
class Row:
    """Errors at one noise level, root mean squares; gradients are of KL(pi_t || mu_t), not weighted.

    noise, score: of eps_psi and of the score, under the noised behaviour; dirac, gaussian: of the KL gradient in the
    parameters of the policies at MEANS, absolute; relative: the same as a share of the exact gradient's size.
    """

    t: float
    sigma: float
    noise: float
    score: float
    dirac: float
    gaussian: float
    dirac_relative: float
    gaussian_relative: float


def errors(trained: TrainedScore, mixture: Mixture, t: float) -> Row:
    """The network against the mixture's own score at one noise level."""
    _, sigma = at_level(t)
    rng = torch.Generator().manual_seed(1)
    a = mixture.noised(t).sample(4000, rng).unsqueeze(0)
    level = torch.full((1, 4000), t, dtype=torch.float64)
    noise = _rms(trained.predictor(a, level) - mixture.predictor(a, level))
    found: dict[str, float] = {}
    for name, log_std in (("dirac", None), ("gaussian", torch.tensor([LOG_STD], dtype=torch.float64))):
        pairs = [
            [kl_gradient(model.predictor, torch.tensor([mean]).double(), log_std, t, "score") for mean in MEANS]
            for model in (trained, mixture)
        ]
        learned, exact = (torch.stack(gradients) for gradients in pairs)
        found[name] = _rms(learned - exact)
        found[f"{name}_relative"] = found[name] / _rms(exact)
    return Row(t, float(sigma), noise, noise / float(sigma), **found)


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, write the table and the figure."""
    Parser("verification.lattice.score_error", __doc__ or "").parse_args(arguments)
    torch.set_num_threads(1)
    steps, folder = 6000, Path(__file__).parent
    trained = TrainedScore(MIXTURE, steps)
    rows = [errors(trained, MIXTURE, t) for t in LEVELS]
    content = {"command": "python -m verification.lattice.score_error", "steps": steps, "seed": 0}
    content |= {"torch": torch.__version__, "rows": [asdict(row) for row in rows]}
    (folder / "score_error.json").write_text(json.dumps(content, indent=1) + "\n")
    print("     t  sigma  noise   score   KL gradient: dirac (relative)  gaussian (relative)")
    for r in rows:
        print(
            f"{r.t:6.3f} {r.sigma:6.3f} {r.noise:6.3f} {r.score:7.2f}   {r.dirac:18.3f} ({r.dirac_relative:8.2f})"
            f"  {r.gaussian:8.3f} ({r.gaussian_relative:8.2f})"
        )
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, text in (
        ("noise", "predicted noise"),
        ("score", "score"),
        ("dirac", "KL gradient, Dirac policy"),
        ("gaussian", "KL gradient, Gaussian policy"),
    ):
        axes.loglog([r.t for r in rows], [getattr(r, name) for r in rows], "o-", label=text)
    axes.set(xlabel="noise level t", ylabel="root mean square error", title=f"a score network after {steps} steps")
    axes.legend(frameon=False)
    figure.savefig(folder / "score_error.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    with ends_cleanly():
        main()
