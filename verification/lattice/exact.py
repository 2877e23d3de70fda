r"""Exact scores of a trained policy on a lattice task: regret, violation, and the terms that bounds are made of.

A learner's policy enters as what it induces on the grid actions, pi(j | s) = E_{a ~ pi(.|s)} w_j(a), from which theory/
gives everything without sampling. Values are discounted sums from the start distribution, which are the expected sums
of an episode (see `tasks`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from theory.bounds import cost_upper_bound_printed, cost_upper_bound_tight
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction
from theory.evaluation import Evaluation, evaluate
from theory.offline.data import behaviour_divergence
from theory.optimum import solve
from verification.lattice.data import Behaviour
from verification.lattice.tasks import Lattice

Act = Callable[[Float[np.ndarray, "replica n obs"]], Float[np.ndarray, "replica n act"]]


def deterministic(lattice: Lattice, actions: Float[np.ndarray, "replica state act"]) -> PerStateAction:
    """What a deterministic policy induces: the weights of its action in every node."""
    return _per_replica(lambda a: lattice.actions.weights(np.clip(a, -1, 1)), actions)


def gaussian(
    lattice: Lattice, mean: Float[np.ndarray, "replica state act"], std: Float[np.ndarray, "replica state act"]
) -> PerStateAction:
    """What clipped Gaussian actions induce, in closed form."""
    return _per_replica(lattice.actions.gaussian_weights, mean, std)


def sampled(lattice: Lattice, act: Act, replicas: int, samples: int, groups: int) -> list[PerStateAction]:
    """Estimates of what a policy with internal randomness induces, from `groups` independent lots of samples.

    `act` is called once per sample at all nodes. The mean of the list is the estimate; the spread of what follows from
    its members is its error.
    """
    observations = on_nodes(lattice, replicas)
    lots = []
    for _ in range(groups):
        lots.append(torch.stack([deterministic(lattice, act(observations)) for _ in range(samples)]).mean(0))
    return lots


def spread(lattice: Lattice, lots: list[PerStateAction]) -> dict[str, PerCMDP]:
    """The standard errors of value and cost of the lots' mean policy, from the values of every lot by itself."""
    values = [exact_values(lattice, lot) for lot in lots]
    return {
        name: torch.stack([getattr(value, field) for value in values]).std(0) / len(lots) ** 0.5
        for name, field in (("value", "J_r"), ("cost", "J_c"))
    }


def on_nodes(lattice: Lattice, replicas: int) -> Float[np.ndarray, "replica state obs"]:
    """The observations of all nodes, once per replica."""
    return np.repeat(lattice.observe(lattice.states.nodes)[None], replicas, axis=0)


def _per_replica(weights: Callable[..., np.ndarray], *arrays: Float[np.ndarray, "replica state act"]) -> PerStateAction:
    rows = [weights(*(array.astype(np.float64) for array in row)) for row in zip(*arrays, strict=True)]
    return torch.from_numpy(np.stack(rows))


@dataclass(frozen=True, eq=False)
class Scores:
    """Exact measurements of policies at their limits, each (replica,); rewards and costs are those of an episode.

    optimal_value: V_r of the constrained optimum; value, cost: V_r, V_c of the policy; gap = optimal_value - value,
    negative where the policy buys reward with a violation; violation = max(0, cost - limit).
    kl, kl_max: KL(pi || pi_b) of the induced policies, its mean over the policy's occupancy and its largest value;
    occupancy_tv, occupancy_ratio: total variation between the occupancies of policy and data, and max d_pi / d_b.
    bound_printed: Prop. 3.1, Eq. (13), with eps_dist = max_s KL(pi || pi_b), the direction that its corrected proof
    uses (the other is infinite wherever the policy drops an action); bound_tight: ours; slack = bound - cost.
    """

    limit: PerCMDP
    optimal_value: PerCMDP
    value: PerCMDP
    gap: PerCMDP
    cost: PerCMDP
    violation: PerCMDP
    kl: PerCMDP
    kl_max: PerCMDP
    occupancy_tv: PerCMDP
    occupancy_ratio: PerCMDP
    bound_printed: PerCMDP
    slack_printed: PerCMDP
    bound_tight: PerCMDP
    slack_tight: PerCMDP


def score(behaviour: Behaviour, policy: PerStateAction, limits: PerCMDP) -> Scores:
    """Measure the policies, one per limit.

    Maxima over states run over those that the data's policy can reach at all; no policy ever meets the others.
    """
    cmdp = behaviour.lattice.cmdp.select(torch.zeros(len(limits), dtype=torch.long)).with_budget(limits)
    pi_b, d_b = behaviour.policy.expand_as(policy), behaviour.occupancy.clamp(min=0)
    reached = d_b > 1e-12
    pi = torch.where(reached[..., None], policy, pi_b)
    values, data = evaluate(cmdp, pi), evaluate(cmdp, pi_b)
    optimum = solve(cmdp)
    kl, kl_max = behaviour_divergence(pi, pi_b, values.d)
    eps_adv = torch.where(reached, (pi_b * values.A_c).sum(-1), -torch.inf).amax(-1)
    terms = (data.J_c, cmdp.c.amax((1, 2)), eps_adv, kl_max, cmdp.gamma)
    printed, tight = torch.as_tensor(cost_upper_bound_printed(*terms)), torch.as_tensor(cost_upper_bound_tight(*terms))
    return Scores(
        limit=limits,
        optimal_value=optimum.value,
        value=values.J_r,
        gap=optimum.value - values.J_r,
        cost=values.J_c,
        violation=(values.J_c - limits).clamp(min=0),
        kl=kl,
        kl_max=kl_max,
        occupancy_tv=0.5 * (values.d - d_b).abs().sum(-1),
        occupancy_ratio=torch.where(reached, values.d / torch.where(reached, d_b, 1.0), 0.0).amax(-1),
        bound_printed=printed,
        slack_printed=printed - values.J_c,
        bound_tight=tight,
        slack_tight=tight - values.J_c,
    )


@dataclass(frozen=True, eq=False)
class CriticError:
    """How far an estimate of Q is from the policy's exact one, each (replica,), in the unit of Q.

    rms: under the data's occupancy and policy; sup: over all pairs that the data can reach; bias: the mean of estimate
    minus truth at the start states under the policy's own actions, which a gate that reads the critic inherits.
    """

    rms: PerCMDP
    sup: PerCMDP
    bias: PerCMDP


def critic_error(
    behaviour: Behaviour, estimate: PerStateAction, exact: PerStateAction, policy: PerStateAction
) -> CriticError:
    """Compare a critic, read at every node and grid action, with the truth."""
    error = estimate - exact
    d_b = behaviour.occupancy.clamp(min=0)
    weight = d_b[..., None] * behaviour.policy
    reached = (d_b > 1e-12)[..., None]
    rho = behaviour.lattice.cmdp.rho
    return CriticError(
        rms=(weight * error.square()).sum((1, 2)).sqrt(),
        sup=torch.where(reached, error.abs(), 0.0).amax((1, 2)),
        bias=(rho[..., None] * policy * error).sum((1, 2)),
    )


def read_critic(
    lattice: Lattice,
    critic: Callable[[Float[Tensor, "replica pair obs"], Float[Tensor, "replica pair act"]], Tensor],
    normalise: Callable[[Tensor], Tensor],
    replicas: int,
) -> PerStateAction:
    """A network Q(s, a) at every node and grid action; `normalise` is what the learner does to observations."""
    observations = torch.from_numpy(lattice.observe(lattice.states.nodes))
    states, actions = len(observations), torch.from_numpy(lattice.actions.nodes).to(observations.dtype)
    here = normalise(observations).repeat_interleave(len(actions), dim=0).expand(replicas, -1, -1)
    with torch.no_grad():
        values = critic(here, actions.repeat(states, 1).expand(replicas, -1, -1))
    return values.double().unflatten(1, (states, len(actions)))


def exact_values(lattice: Lattice, policy: PerStateAction) -> Evaluation:
    """theory's evaluation of a batch of policies on the one task."""
    return evaluate(_copies(lattice, len(policy)), policy)


def _copies(lattice: Lattice, count: int) -> FiniteCMDP:
    return lattice.cmdp.select(torch.zeros(count, dtype=torch.long))


def state_frequencies(lattice: Lattice, observations: Float[np.ndarray, "n obs"]) -> PerState:
    """The share of data rows in every node, (1, S): the empirical state marginal D."""
    nodes = lattice.observe(lattice.states.nodes)
    order = {node.tobytes(): i for i, node in enumerate(nodes)}
    counts = np.bincount([order[row.tobytes()] for row in observations], minlength=len(nodes))
    return torch.from_numpy(counts / counts.sum())[None]
