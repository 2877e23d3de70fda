"""Safe-DQL's objective on finite CMDPs, its global minimiser, and every term of Theorem 9 measured.

    L(pi) = L_d(pi) - eta E_{s ~ D, a ~ pi} Q_r + lambda E_{s ~ D, a ~ pi} ReLU(Q_max - kappa),   Q_max = max_i Q_i

With fixed critics L is a sum over states of a convex function of pi(.|s), so that the minimum over all (softmax)
policies has a closed form. L_d is E_{s ~ D} KL(pi||mu) ("reverse"), or KL(mu||pi) ("forward", maximum likelihood, which
is infinite for a reference policy that drops an action of mu, and Theorem 9 is then vacuous).
Source: Safe-DQL, Eq. (1), Assumptions 1 to 6, Theorem 9.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from theory.bounds import hinge, occupancy_shift, safe_dql_bound
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction
from theory.evaluation import evaluate
from theory.support.errors import InputError

CLONING = ("reverse", "forward")


@dataclass(frozen=True, eq=False)
class Problem:
    """Fixed critics and weights: Q_r; cost_critics (batch, critic, state, action); mu, the behaviour policy, positive;
    D, the data's state marginal; kappa, the threshold on Q_c; eta >= 0 and penalty = lambda > 0, dimensionless.

    Raises InputError for an unknown cloning loss, or weights out of range.
    """

    Q_r: PerStateAction
    cost_critics: Float64[Tensor, "batch critic state action"]
    mu: PerStateAction
    D: PerState
    kappa: PerCMDP
    eta: float
    penalty: float
    cloning: str = "reverse"

    def __post_init__(self) -> None:
        if self.cloning not in CLONING:
            raise InputError(f"cloning must be one of {', '.join(CLONING)}, not {self.cloning!r}.")
        if not (self.eta >= 0 and self.penalty > 0):
            raise InputError(f"eta must be >= 0 and the penalty > 0, not {self.eta} and {self.penalty}.")

    @property
    def excess(self) -> PerStateAction:
        """ReLU(Q_max - kappa)."""
        return hinge(self.cost_critics.amax(1), self.kappa[:, None, None])

    @property
    def price(self) -> PerStateAction:
        """What an action costs apart from the cloning: lambda ReLU(Q_max - kappa) - eta Q_r."""
        return self.penalty * self.excess - self.eta * self.Q_r


def cloning_loss(problem: Problem, policy: PerStateAction) -> PerCMDP:
    """L_d >= 0: E_{s ~ D} KL(pi || mu), or KL(mu || pi)."""
    first, second = (policy, problem.mu) if problem.cloning == "reverse" else (problem.mu, policy)
    kl = (torch.special.xlogy(first, first) - torch.special.xlogy(first, second)).sum(-1)
    return torch.where(problem.D > 0, problem.D * kl, 0.0).sum(-1)


def objective(problem: Problem, policy: PerStateAction) -> PerCMDP:
    """L(pi), Safe-DQL Eq. (1)."""
    return cloning_loss(problem, policy) + (problem.D[..., None] * policy * problem.price).sum((1, 2))


def minimise(problem: Problem) -> PerStateAction:
    """The global minimiser of L over all policies.

    reverse: pi proportional to mu exp(-price);  forward: pi = mu / (price + nu), nu(s) such that pi sums to 1.
    """
    price = problem.price
    if problem.cloning == "reverse":
        return torch.softmax(problem.mu.log() - price, dim=-1)
    shifted = price - price.amin(-1, keepdim=True)
    cheapest = torch.nn.functional.one_hot(shifted.argmin(-1), shifted.shape[-1]).to(shifted.dtype)
    # sum mu / (shifted + nu) is convex and decreasing: Newton's method from a point left of the root is monotone.
    nu = (problem.mu * cheapest).sum(-1, keepdim=True)
    for _ in range(60):
        terms = problem.mu / (shifted + nu)
        nu = nu + (terms.sum(-1, keepdim=True) - 1) / (terms / (shifted + nu)).sum(-1, keepdim=True)
    policy = problem.mu / (shifted + nu)
    return policy / policy.sum(-1, keepdim=True)


def reference_policy(problem: Problem) -> tuple[PerStateAction, Tensor]:
    """pi_0 of Assumption 6 with the smallest reverse cloning loss: mu restricted to actions with zero hinge.

    Also returns where it exists: in every state of the data some action must have Q_max <= kappa (claim D12).
    """
    safe = problem.excess == 0
    mass = (problem.mu * safe).sum(-1, keepdim=True)
    exists = ((mass.squeeze(-1) > 0) | (problem.D == 0)).all(-1)
    policy = torch.where(mass > 0, problem.mu * safe / torch.where(mass > 0, mass, 1.0), problem.mu)
    return policy, exists


@dataclass(frozen=True, eq=False)
class Theorem9:
    """Every term of Safe-DQL's Theorem 9 at a policy.

    J_c; the right-hand side with the printed and with the sufficient Delta_occ (infinite where no reference policy
    exists); B_r and the printed Delta_occ in it; the measured eps_c; E hinge and E Q_max under the data's states; the
    cloning loss of pi_0.
    """

    J_c: PerCMDP
    bound: PerCMDP
    bound_tight: PerCMDP
    B_r: PerCMDP
    shift: PerCMDP
    eps_c: PerCMDP
    expected_hinge: PerCMDP
    predicted: PerCMDP
    reference_loss: PerCMDP
    reference_exists: Tensor


def theorem_9(cmdp: FiniteCMDP, problem: Problem, policy: PerStateAction) -> Theorem9:
    """Measure all terms; eps_c is the smallest over critics of sup (Q_c^pi - Q_i)_+ (Assumption 4)."""
    values = evaluate(cmdp, policy)
    below = (values.Q_c[:, None] - problem.cost_critics).amax((2, 3)).clamp(min=0)
    eps_c = below.amin(1)
    reference, exists = reference_policy(problem)
    loss = cloning_loss(problem, reference)
    best = objective(problem, minimise(problem))
    B_c = (cmdp.c.amax((1, 2)) / (1 - cmdp.gamma)).maximum(problem.cost_critics.abs().amax((1, 2, 3)))
    B_r = (cmdp.r.abs().amax((1, 2)) / (1 - cmdp.gamma)).maximum(problem.Q_r.abs().amax((1, 2)))
    tv = 0.5 * (cmdp.rho - problem.D).abs().sum(-1)
    terms = (problem.kappa, eps_c, loss, problem.penalty, problem.eta, B_r)
    printed, tight = (
        torch.as_tensor(safe_dql_bound(*terms, occupancy_shift(B_c, tv, factor), objective(problem, policy) - best))
        for factor in (2.0, 1.0)
    )
    weight = problem.D[..., None] * policy
    return Theorem9(
        J_c=values.J_c,
        bound=torch.where(exists, printed, torch.inf),
        bound_tight=torch.where(exists, tight, torch.inf),
        B_r=B_r,
        shift=torch.as_tensor(occupancy_shift(B_c, tv)),
        eps_c=eps_c,
        expected_hinge=(weight * problem.excess).sum((1, 2)),
        predicted=(weight * problem.cost_critics.amax(1)).sum((1, 2)),
        reference_loss=loss,
        reference_exists=exists,
    )


def biased_critics(
    cmdp: FiniteCMDP, policy: PerStateAction, bias: float, noise: float, seed: int, critics: int = 2
) -> Float64[Tensor, "batch critic state action"]:
    """Cost critics Q_c^pi + bias + noise * normal, clamped to [0, c_max/(1-gamma)] (Assumption 1)."""
    generator = torch.Generator().manual_seed(seed)
    Q = evaluate(cmdp, policy).Q_c[:, None]
    draws = torch.randn(cmdp.batch, critics, cmdp.states, cmdp.actions, generator=generator, dtype=torch.float64)
    ceiling = (cmdp.c.amax((1, 2)) / (1 - cmdp.gamma))[:, None, None, None]
    return (Q + bias + noise * draws).clamp(min=0).minimum(ceiling)
