"""Critics estimated from a data set: model-based, fitted-Q, an ensemble with an upper confidence bound.

Each is a function from a policy to an `Evaluation`, whose J_c decides the region; none of them uses the CMDP itself.
Reward and cost come from the data at the pairs that occur; elsewhere the reward is 0 and the cost the largest.
"""

from dataclasses import dataclass

import torch

from theory.cmdp.dense import FiniteCMDP, concatenate
from theory.cmdp.shapes import PerStateAction
from theory.evaluation import Evaluation, evaluate
from theory.npg.algorithms import Critic
from theory.offline.data import Dataset, bootstrap
from theory.support.errors import InputError

PESSIMISM = ("none", "corrected", "printed")
UNBOUNDED = 1e300  # for infinity, which times a zero probability would be NaN


def empirical_model(cmdp: FiniteCMDP, dataset: Dataset) -> FiniteCMDP:
    """The CMDP that the data suggest: P_hat = counts / n(s, a); unseen pairs stay put at reward 0 and the largest cost.

    Of `cmdp` only r and c at the observed pairs, rho, gamma, the budget and the bound on c are read.
    """
    n = dataset.pairs
    seen = n > 0
    stay = torch.eye(cmdp.states, dtype=torch.float64)[:, None].expand(-1, cmdp.actions, -1)
    P = torch.where(seen[..., None], dataset.counts / torch.where(seen, n, 1.0)[..., None], stay)
    c_max = cmdp.c.amax((1, 2), keepdim=True)
    return FiniteCMDP(
        P, torch.where(seen, cmdp.r, 0.0), torch.where(seen, cmdp.c, c_max), cmdp.rho, cmdp.gamma, cmdp.budget
    )


def model_critic(cmdp: FiniteCMDP, dataset: Dataset) -> Critic:
    """Exact evaluation in the empirical model."""
    model = empirical_model(cmdp, dataset)
    return lambda policy: evaluate(model, policy)


@dataclass(frozen=True)
class EnsembleCritic:
    """E bootstrap models: Q means, and J_c = E_{rho, pi} Q_c^UCB, Q^UCB = mean + k std (Eqs. (24), (25)).

    The standard deviation is the population's (divided by E). `models` stacks the members of all CMDPs.
    """

    models: FiniteCMDP
    members: int
    k: float

    def __call__(self, policy: PerStateAction) -> Evaluation:
        batch = policy.shape[0]
        all_values = evaluate(self.models, policy.repeat(self.members, 1, 1))

        def mean(name: str) -> torch.Tensor:
            values = getattr(all_values, name)
            return values.reshape(self.members, batch, *values.shape[1:]).mean(0)

        names = ("V_r", "V_c", "Q_r", "Q_c", "d", "J_r")
        Q_c = all_values.Q_c.reshape(self.members, batch, *policy.shape[1:])
        ucb = Q_c.mean(0) + self.k * Q_c.std(0, correction=0)
        rho = self.models.rho[:batch]
        return Evaluation(**{name: mean(name) for name in names}, J_c=(rho[..., None] * policy * ucb).sum((1, 2)))


def ensemble_critic(
    cmdp: FiniteCMDP, dataset: Dataset, members: int = 4, k: float = 2.0, seed: int = 0
) -> EnsembleCritic:
    """An ensemble of `members` bootstrap models; defaults are those of Table 2 of the DRCORL preprint."""
    models = [empirical_model(cmdp, bootstrap(dataset, seed * members + e)) for e in range(members)]
    return EnsembleCritic(concatenate(models), members, k)


@dataclass(frozen=True)
class FittedQ:
    """Fitted-Q evaluation by `sweeps` exact minimisations of the (semi-gradient) temporal-difference loss.

    reward   mean_D (r + gamma E_pi Q(s', .) - Q(s, a))^2;       cost: the same, plus a pessimism of strength alpha:
    corrected  - alpha (E_{s ~ D, a ~ pi} Q - E_D Q): adds (alpha/2)(pi/pi_b - 1), and targets are clamped to the
               possible range [0, c_max/(1-gamma)];
    printed    - alpha E_{s ~ D, a ~ pi} Q, Eq. (19): adds (alpha/2) pi/pi_b at every sweep, without a bound where pi
               leaves the data; with `printed_reward` also r in the place of c, as Eq. (19) has it.
    pi_b is the empirical behaviour n(s, a)/n(s). The metric's d is the data's state distribution.
    """

    model: FiniteCMDP
    dataset: Dataset
    sweeps: int = 100
    alpha: float = 0.0
    pessimism: str = "none"
    printed_reward: bool = False

    def __post_init__(self) -> None:
        if self.pessimism not in PESSIMISM:
            raise InputError(f"pessimism must be one of {', '.join(PESSIMISM)}, not {self.pessimism!r}.")
        if self.sweeps < 1 or self.alpha < 0:
            raise InputError(f"sweeps must be positive and alpha not negative, not {self.sweeps}, {self.alpha}.")

    def __call__(self, policy: PerStateAction) -> Evaluation:
        Q_r = self._fit(self.model.r, policy, torch.zeros_like(policy), clamp=False)
        payoff = self.model.r if self.printed_reward else self.model.c
        Q_c = self._fit(payoff, policy, self.push(policy), clamp=self.pessimism == "corrected")
        V_r, V_c = (policy * Q_r).sum(-1), (policy * Q_c).sum(-1)
        d = self.dataset.pairs.sum(-1)
        rho = self.model.rho
        return Evaluation(V_r, V_c, Q_r, Q_c, d / d.sum(-1, keepdim=True), (rho * V_r).sum(-1), (rho * V_c).sum(-1))

    def push(self, policy: PerStateAction) -> PerStateAction:
        """What the pessimism adds to the target: the minimiser of (target - Q)^2 n(s, a) - alpha (...) Q."""
        n = self.dataset.pairs
        off_data = UNBOUNDED * ((policy > 0) & (n.sum(-1, keepdim=True) > 0)).to(policy.dtype)
        ratio = torch.where(n > 0, policy * n.sum(-1, keepdim=True) / torch.where(n > 0, n, 1.0), off_data)
        if self.pessimism == "none" or self.alpha == 0:
            return torch.zeros_like(policy)
        return self.alpha / 2 * (ratio - 1 if self.pessimism == "corrected" else ratio)

    def _fit(self, payoff: PerStateAction, policy: PerStateAction, push: PerStateAction, clamp: bool) -> PerStateAction:
        gamma = self.model.gamma[:, None, None]
        ceiling = self.model.c.amax((1, 2), keepdim=True) / (1 - gamma)
        Q = torch.zeros_like(policy)
        for _ in range(self.sweeps):
            Q = payoff + gamma * self.model.next_value((policy * Q).sum(-1)) + push
            Q = Q.clamp(min=0).minimum(ceiling) if clamp else Q
        return Q


def fitted_q_critic(cmdp: FiniteCMDP, dataset: Dataset, **options: object) -> FittedQ:
    """A `FittedQ` on the data's counts."""
    return FittedQ(empirical_model(cmdp, dataset), dataset, **options)  # pyright: ignore[reportArgumentType]
