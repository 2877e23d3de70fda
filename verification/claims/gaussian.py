"""Entropy, cross entropy and reverse-KL gradient of Gaussian policies, the diffusion score, energy-based optima."""

import math

import numpy as np
import torch
from torch import Tensor

from deep.methods.drcorl.score import Schedule, reverse_kl
from theory.npg.safe_dql import Problem, minimise
from verification.checker.certify import Statement
from verification.checker.instances import gaussians, generator
from verification.claims.claim import Check, Claim, Repair, Sides, difference, joined, sides

# The trapezoidal rule is spectrally accurate for a smooth function times a Gaussian.
NODES = torch.linspace(-9, 9, 2001, dtype=torch.float64)
WEIGHTS = torch.softmax(-(NODES**2) / 2, -1)
GRID = torch.linspace(-12, 12, 6001, dtype=torch.float64)


def log_normal(a: Tensor, mean: Tensor | float, std: Tensor | float) -> Tensor:
    return -0.5 * ((a - mean) / std) ** 2 - torch.as_tensor(std).log() - 0.5 * math.log(2 * math.pi)


class Mixture:
    """A random behaviour policy on the line: three Gaussians with weights."""

    def __init__(self, *key: int) -> None:
        rng = generator(*key)
        self.weights = torch.from_numpy(rng.dirichlet(np.ones(3)))
        self.means, self.stds = torch.from_numpy(rng.normal(size=3) * 1.5), torch.from_numpy(rng.uniform(0.5, 1.2, 3))

    def log_density(self, a: Tensor, alpha: float | Tensor = 1.0, sigma: float | Tensor = 0.0) -> Tensor:
        """Of alpha a + sigma noise."""
        std = torch.sqrt((alpha * self.stds) ** 2 + sigma**2)
        return torch.logsumexp(self.weights.log() + log_normal(a[..., None], alpha * self.means, std), -1)

    def score(self, a: Tensor, alpha: float | Tensor = 1.0, sigma: float | Tensor = 0.0) -> Tensor:
        with torch.enable_grad():
            a = a.detach().requires_grad_()
            return torch.autograd.grad(self.log_density(a, alpha, sigma).sum(), a)[0]

    def predicted_noise(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """E[eps | alpha a + sigma eps = x], from the posterior of a under each component."""
        std = torch.sqrt((alpha * self.stds) ** 2 + sigma**2)
        share = torch.softmax(self.weights.log() + log_normal(x[..., None], alpha * self.means, std), -1)
        return (share * sigma * (x[..., None] - alpha * self.means) / std**2).sum(-1)


def entropy(broken: bool) -> Sides:
    """Eq. (6) against -sum pi log pi on a fine grid, in one and two dimensions."""
    found = []
    for dimension in (1, 2):
        u = np.linspace(-9, 9, 2001 if dimension == 1 else 401)
        axes = np.stack(np.meshgrid(*[u] * dimension, indexing="ij"), -1).reshape(-1, dimension)
        cell = (u[1] - u[0]) ** dimension
        for mean, root in gaussians(20, dimension):
            width = np.sqrt((root @ root.T).diagonal())  # a grid that is aligned with the axes, not with Sigma
            a = mean + axes * width
            z = np.linalg.solve(root, (a - mean).T)
            logdet = np.log(root.diagonal()).sum()
            log_pi = -0.5 * (z**2).sum(0) - logdet - dimension / 2 * np.log(2 * np.pi)
            direct = -(np.exp(log_pi) * log_pi).sum() * cell * width.prod()
            closed = logdet + dimension / 2 * np.log(2 * np.pi) + (0 if broken else dimension / 2)
            found.append(difference(torch.tensor(closed), float(direct), 1e-6))
    return joined(found)


def cross_entropy(broken: bool) -> Sides:
    """Eq. (7) over the noise against the integral over actions."""
    found = []
    for i, (mean, root) in enumerate(gaussians(40, 1)):
        m, std, mu = float(mean[0]), float(root[0, 0]), Mixture(2, i)
        by_nodes = -(WEIGHTS * mu.log_density(m + (std**2 if broken else std) * NODES)).sum()
        pi = log_normal(GRID, m, std).exp()
        direct = -torch.trapezoid(pi * mu.log_density(GRID), GRID)
        found.append(difference(by_nodes, direct, 1e-6))
    return joined(found)


def kl_gradient(broken: bool) -> Sides:
    """Eq. (8) against autograd through the integral of pi log(pi/mu), and through
    `deep.methods.drcorl.score.reverse_kl`."""
    found = []
    for i, (mean, root) in enumerate(gaussians(30, 1)):
        mu, m, log_std = Mixture(3, i), float(mean[0]), math.log(root[0, 0])
        theta = torch.tensor([m, log_std], dtype=torch.float64, requires_grad=True)
        log_pi = log_normal(GRID, theta[0], theta[1].exp())
        kl = torch.trapezoid(log_pi.exp() * (log_pi - mu.log_density(GRID)), GRID)
        direct = torch.autograd.grad(kl, theta)[0]
        z = NODES * math.exp(log_std)
        pull = -mu.score(m + z)
        entropy_term = 0.0 if broken else 1.0
        formula = torch.stack([(WEIGHTS * pull).sum(), (WEIGHTS * pull * z).sum() - entropy_term])
        found.append(difference(formula, direct, 1e-6))
    if not broken:
        found += [noised_gradient(i) for i in range(4)]
    return joined(found)


def noised_gradient(i: int) -> Sides:
    """`reverse_kl` with the exact noise predictor against autograd through KL(pi_t || mu_t)."""
    mu, schedule = Mixture(3, i), Schedule()
    t = torch.tensor(0.15 + 0.1 * i, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    theta = torch.tensor([0.4, -0.3], dtype=torch.float64, requires_grad=True)
    std = torch.sqrt(alpha**2 * theta[1].exp() ** 2 + sigma**2)
    log_pi = log_normal(GRID, alpha * theta[0], std)
    kl = torch.trapezoid(log_pi.exp() * (log_pi - mu.log_density(GRID, alpha, sigma)), GRID)
    direct = torch.autograd.grad(kl, theta)[0]
    u = torch.special.ndtri((torch.arange(300, dtype=torch.float64) + 0.5) / 300)
    z, eps = (x.reshape(1, -1, 1) for x in torch.meshgrid(u, u, indexing="ij"))
    log_std = theta[1].expand(1, z.shape[1], 1)
    surrogate = reverse_kl(
        lambda noisy, _: mu.predicted_noise(noisy, alpha, sigma),
        schedule,
        theta[0] + log_std.exp() * z,
        log_std,
        t.expand(1, z.shape[1]),
        eps,
        "score",
    )
    # Its factor before eps_psi is alpha/sigma, that of the plain gradient; nodes of equal weight: a coarse quadrature.
    return difference(torch.autograd.grad(surrogate.sum(), theta)[0], direct, 2e-2)


def score(broken: bool) -> Sides:
    """Eq. (9): -E[eps | x_t]/sigma_t against the gradient of the log density, E by integration over eps."""
    found, schedule = [], Schedule()
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    for i in range(20):
        mu, t = Mixture(4, i), torch.tensor(0.1 + 0.04 * i, dtype=torch.float64)
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        posterior = torch.softmax(
            log_normal(GRID, 0.0, 1.0) + mu.log_density((x[:, None] - sigma * GRID) / alpha) - alpha.log(), -1
        )
        eps = (posterior * GRID).sum(-1)
        found.append(difference(-eps / (1.0 if broken else sigma), mu.score(x, alpha, sigma), 1e-6))
    return joined(found)


def policy_gradient(broken: bool) -> Sides:
    """d/dm of E_pi Q - KL(pi || mu)/beta with Q = -(a - 2)^2/2: autograd through the integral against the formula."""
    found = []
    for i, (mean, root) in enumerate(gaussians(30, 1)):
        mu, beta = Mixture(5, i), 0.5 + 0.1 * i
        m = torch.tensor(float(mean[0]), dtype=torch.float64, requires_grad=True)
        std = float(root[0, 0])
        log_pi = log_normal(GRID, m, std)
        gain = -((GRID - 2) ** 2) / 2
        target = torch.trapezoid(log_pi.exp() * (gain - (log_pi - mu.log_density(GRID)) / beta), GRID)
        a = float(mean[0]) + std * NODES
        h = -mu.score(a)  # eps_psi / sigma_t as t -> 0
        formula = (WEIGHTS * ((2 - a) + (h if broken else -h) / beta)).sum()
        found.append(difference(formula, torch.autograd.grad(target, m)[0], 1e-6))
    return joined(found)


def energy_optimum(broken: bool) -> Sides:
    """No policy does better than mu exp(beta Q) at E_{a ~ pi} Q - KL(pi || mu)/beta; minimiser of
    theory.npg.safe_dql."""
    rng = generator(6)
    Q = torch.from_numpy(rng.normal(size=(200, 1, 4)))
    mu = torch.from_numpy(rng.dirichlet(np.ones(4), (200, 1)))
    beta, none, one = 1.5, torch.zeros(200, 1, 1, 4, dtype=torch.float64), torch.ones(200, 1, dtype=torch.float64)
    best = minimise(Problem(Q, none, mu, one, torch.ones(200, dtype=torch.float64), beta, 1.0))
    shape = torch.from_numpy(rng.normal(size=(50, 200, 1, 4)))
    others = torch.softmax(best.log() + shape * 0.3, -1)

    def objective(pi: Tensor) -> Tensor:
        gain = (mu if broken else pi) * Q
        return (gain - pi * (pi / mu).log() / beta).sum((-1, -2))

    return sides(objective(others), objective(best).expand(50, -1), 1e-12)


DERIVATIVE = {
    "up": "-((m+h-2)**2+variance)/2",
    "down": "-((m-h-2)**2+variance)/2",
    "kl_up": "(m+h)**2/2",
    "kl_down": "(m-h)**2/2",
}
REGULARISED = "((up-kl_up/beta)-(down-kl_down/beta))/(2*h)"
PRINTED_23 = Statement(DERIVATIVE, [], f"(2-m)+m/beta == {REGULARISED}")
PRINTED_54 = Statement(
    {
        "w": "mu*exp(beta*Q)",
        "tilted": "w/rows(w)",
        "at_tilted": "sum(mu*Q)-sum(KL(tilted,mu))/beta",
        "at_mu": "sum(mu*Q)",
    },
    [],
    "at_tilted >= at_mu",
)

CLAIMS = [
    Claim(
        id="G1",
        source="DRCORL, Eq. (6)",
        statement="The entropy of N(m, Sigma) in d dimensions is log(det Sigma)/2 + d log(2 pi)/2 + d/2.",
        printed=Check(entropy, "the term d/2 is dropped"),
        proof="-log pi(a) = log(det Sigma)/2 + d log(2 pi)/2 + |z|^2/2 with z = Sigma^{-1/2}(a - m) ~ N(0, I), and "
        "E|z|^2 = d.",
    ),
    Claim(
        id="G2",
        source="DRCORL, Eq. (7)",
        statement="The cross entropy E_pi[-log mu] equals E_z[-log mu(m + Sigma^{1/2} z)], z ~ N(0, I).",
        printed=Check(cross_entropy, "Sigma in the place of its root"),
        proof="m + Sigma^{1/2} z has the law N(m, Sigma): both sides are the mean of one function under one law.",
    ),
    Claim(
        id="G3",
        source="DRCORL, Eq. (8); slide 5",
        statement="grad KL(pi_theta || mu) = E_z[-grad_a log mu(a) . grad_theta a] - grad_theta log(det Sigma)/2, with "
        "a = m + Sigma^{1/2} z.",
        assumptions="log mu is differentiable and its gradient integrable under pi_theta",
        printed=Check(kl_gradient, "the term of log(det Sigma) is dropped"),
        notes="By integration over the noise on mixtures of Gaussians, and through the learner's own reverse_kl with "
        "the exact noise predictor at four noise levels.",
    ),
    Claim(
        id="G4",
        source="DRCORL, Eq. (9); slide 4",
        statement="grad log p(x_t) = -eps_psi(x_t, t)/sqrt(1 - prod alpha).",
        assumptions="eps_psi is the conditional mean of the noise given x_t (the minimiser of Eq. (5))",
        printed=Check(score, "the division by sqrt(beta_bar) is dropped"),
        notes="eps_psi predicts the noise; the text below Eq. (5) calls it the score function, which it is not.",
    ),
    Claim(
        id="C3",
        source="DRCORL, Eq. (23)",
        statement="The ascent direction of E_pi Q - KL(pi || mu)/beta in the mean is E[grad_a Q + h_psi/beta], with "
        "h_psi = +eps_psi/sqrt(beta_t).",
        formal=PRINTED_23,
        counterexamples=("C3",),
        sound=Statement(DERIVATIVE, [], f"(2-m)-m/beta == {REGULARISED}"),
        repair=Repair(
            "replacement",
            "h_psi = -eps_psi/sqrt(beta_bar_t) (minus, and a bar); in the covariance the term of log(det Sigma) too.",
            Check(policy_gradient, "the printed sign of h_psi"),
        ),
        notes="mu = N(0, 1), pi = N(1, 1/4), Q = -(a - 2)^2/2, beta = 2: the derivative is 1/2, printed 3/2. The "
        "variance does not depend on m and its part of the objective is left out.",
    ),
    Claim(
        id="K1",
        source="DRCORL, Eqs. (53), (54)",
        statement="mu exp(beta Q) maximises E_{(s, a) ~ D} Q - KL(pi || mu)/beta.",
        formal=PRINTED_54,
        counterexamples=("K1",),
        repair=Repair(
            "correction",
            "Draw a from pi: mu exp(beta Q) maximises E_{s ~ D, a ~ pi} Q - KL(pi || mu)/beta.",
            Check(energy_optimum, "the action is drawn from the data, as Eq. (53) prints it"),
            proof="E_pi Q - KL(pi || mu)/beta = log(Z)/beta - KL(pi || pi*)/beta with pi* = mu exp(beta Q)/Z, which is "
            "largest at pi = pi*.",
        ),
        notes="As printed the first term does not depend on pi, so that the maximiser is mu itself.",
    ),
]
