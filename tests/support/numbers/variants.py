"""Recorded numbers of what the smoke configurations leave out: the public forms, and every other rule of a method."""

from typing import Any

import torch

from tests.support.numbers.summary import Case
from tests.support.numbers.varied import LIMITS, SEEDS, TASK, data
from tests.support.smoke_runs import build, run_phases, trained

STEPS = 8
SMALL_BEHAVIOUR = {"behaviour__steps": 20, "behaviour__t_range": (0.05, 0.6)}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "bc_best, few": ("bc_best", {"clone__neighbours": 3, "clone__return_share": 0.2}),
    "bc_safe": ("bc_safe", {}),
    "bcq_lag, public": ("bcq_lag", {"variant": "public"}),
    "bcq_lag": ("bcq_lag", {}),
    "bear_lag, public": ("bear_lag", {"variant": "public"}),
    "bear_lag": ("bear_lag", {}),
    "cpq, public": ("cpq", {"variant": "public"}),
    "cpq": ("cpq", {}),
    "coptidice, public": ("coptidice", {"variant": "public"}),
    "coptidice, published": ("coptidice", {"advantage": "sample", "reward_unit": "raw", "kappa": "start"}),
    "caps, public": ("caps", {"variant": "public", "heads": 2, "expectile": 0.7}),
    "bcrl, public": ("bcrl", {"variant": "public"}),
    "bcrl, absolute": ("bcrl", {"form": "absolute", "reward_expectile": 0.8}),
    "fisor, public": ("fisor", {"variant": "public", "violation": 3.0}),
    "fisor, residual": ("fisor", {"network": "residual", "width": 8, "dropout": 0.2, "violation": 2.0}),
    "carl": ("carl", {"kappa": "cut"}),
    "o3srl": ("o3srl", {"round_steps": 2, "kappa": "start", "smoothing": 0.6}),
    "ccac, public": ("ccac", {"variant": "public"}),
    "ccac": ("ccac", {}),
    "cdt, public": ("cdt", {"variant": "public", "dropout": 0.1}),
    "cdt, long": ("cdt", {"history": 7, "augmented_share": 0.6, "warm_up": 10}),
    "b2r": ("b2r", {"rotary": True}),
    "cdd": ("cdd", {}),
    "tcdp": ("tcdp", {"slack": 0.3, "relabelled": 0.8}),
    "sdgd": ("sdgd", {"strength": 2.0}),
    "trebi": ("trebi", {"value_discount": 0.9}),
    "trebi, public": ("trebi", {"variant": "public", "value_discount": 0.95}),
    "trebi, states": ("trebi", {"plan_actions": False, "penalty": "threshold", "inverse_steps": 20}),
    "diffuser": ("diffuser", {"start_noise": 0.4}),
    "safe_dql, min": ("safe_dql", {"twin": "min", "kappa": "cut", "schedule": "cosine"}),
    "safe_dql, sample": ("safe_dql", {"action_selection": "sample", "kappa": "start", "schedule": "linear"}),
    "drcorl": ("drcorl", SMALL_BEHAVIOUR),
    "drcorl, ucb": ("drcorl", {"gate__kind": "ucb", "gate__states": "start", "adaptation__rule": "crpo"}),
    "drcorl, pid": ("drcorl", {"adaptation__rule": "pid", "clone__trajectories": "safe", "anchor": "mse"}),
    "drcorl, least squares": (
        "drcorl",
        {
            "gate__kind": "least_squares", "gate__states": "cloned", "critics__reward": "td", "gate__transitions": 90,
            "critics__layer_norm": True, "adaptation__temperature__growth": "sqrt", "adaptation__temperature__c1": 0.4,
        },
    ),
    "drcorl, Gaussian": (
        "drcorl",
        {
            "policy": "gaussian", "update_behaviour": True, "behaviour__kl_weight": "vds", "behaviour__dropout": 0.2,
            "adaptation__regulariser": "after", "policy_states": "all",
        },
    ),
    "drcorl, limit": (
        "drcorl",
        {
            "policy": "constant", "behaviour__kl_form": "limit", "behaviour__condition": "cost",
            "cloning_steps": 40, "regression_steps": 20, "clone__trajectories": "all",
        },
    ),
    "drcorl, hybrid": (
        "drcorl",
        {
            "gate__kind": "simulator", "online__episodes": 1, "online__update_critics": True, "online__fraction": 0.4,
            "online__buffer_episodes": 2, "gate__record": True,
        },
    ),
    "drcorl, printed": (
        "drcorl",
        {
            "critics__printed_pessimism": True, "gate__kind": "ucb", "behaviour__kl_weight": "stable",
            "gate__select": "last", "adaptation__slack__decay": "inverse_sqrt",
        },
    ),
}  # fmt: skip


def variant(algorithm: str, changes: dict[str, Any]) -> Case:
    """Losses, parameters and actions on the varied data, gamma = .9, with timeouts at random."""

    def measure() -> object:
        experiment = build(algorithm, SEEDS, LIMITS, task=TASK, data=data(), gamma=0.9, **changes)
        found = trained(experiment, run_phases(experiment, STEPS))
        if experiment.settings.dynamics.steps > 0:
            with torch.no_grad():
                found["estimate"] = experiment.estimator.estimate(experiment.policy())
        return found

    return Case(measure, depth=1)


CASES: dict[str, Case] = {name: variant(*given) for name, given in VARIANTS.items()}
