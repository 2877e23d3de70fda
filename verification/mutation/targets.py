"""Which files are mutated, and which tests run first."""

THEORY = {
    "adaptation": "adaptation algorithms",
    "npg/algorithms": "algorithms bounds",
    "bounds": "bounds safe_dql",
    "cmdp/dense": "cmdp evaluation",
    "offline/critics": "offline",
    "evaluation": "evaluation npg",
    "npg/npg": "npg algorithms",
    "offline/data": "offline",
    "optimum/__init__": "optimum",
    "optimum/certificate": "optimum",
    "optimum/conic": "optimum",
    "optimum/lagrangian": "optimum",
    "optimum/linear_program": "optimum",
    "npg/outputs": "algorithms",
    "npg/reference": "algorithms",
    "npg/safe_dql": "safe_dql",
}
DEEP = {
    "methods/actor_critic/bcrl": "methods/bcrl",
    "methods/actor_critic/caps": "methods/caps",
    "methods/bc": "methods/bc",
    "methods/fisor": "methods/fisor",
    "methods/drcorl/drcorl": "methods/drcorl_options methods/drcorl",
    "methods/actor_critic/carl": "methods/carl",
    "methods/actor_critic/ccac": "methods/ccac",
    "methods/actor_critic/coptidice": "methods/coptidice",
    "methods/actor_critic/o3srl": "methods/o3srl",
    "methods/parts/td3_bc": "methods/carl methods/o3srl",
    "methods/drcorl/cloning": "methods/drcorl_options methods/drcorl",
    "methods/safe_dql/safe_dql": "methods/safe_dql",
    "methods/actor_critic/bcq_lag": "methods/bcq_lag",
    "methods/actor_critic/bear_lag": "methods/bear_lag",
    "methods/actor_critic/cpq": "methods/cpq",
    "methods/parts/lagrangian": "methods/lagrangian_parts",
    "methods/parts/mmd": "methods/lagrangian_parts",
    "methods/parts/targets": "methods/lagrangian_parts",
    "methods/parts/vae": "methods/lagrangian_parts methods/cpq",
    "methods/drcorl/behaviour_model": "methods/score methods/drcorl_options",
    "methods/parts/best_of_n": "methods/safe_dql",
    "methods/parts/budget": "methods/budget",
    "methods/parts/critics": "methods/critics",
    "methods/parts/iql": "methods/iql methods/critics",
    "methods/drcorl/score": "methods/score",
    "methods/parts/diffusion_policy": "methods/diffusion_policy",
    "methods/drcorl/gate": "methods/drcorl methods/drcorl_options methods/hybrid",
    "methods/drcorl/hybrid": "methods/hybrid",
    "nn/parameters": "nn/nn",
    "nn/policies": "nn/nn methods/drcorl",
    "data/replay": "data/replay",
    "methods/drcorl/safe_adaptation": "methods/safe_adaptation methods/drcorl_options",
    "methods/parts/twin_critics": "methods/safe_dql",
}


def tests(names: str) -> list[str]:
    """tests/nn/test_nn.py for nn/nn."""
    parts = [name.rpartition("/") for name in names.split()]
    return [f"tests/{folder}{slash}test_{name}.py" for folder, slash, name in parts]


def _theory(names: str) -> list[str]:
    return [f"tests/theory/test_{name}.py" for name in names.split()]


NEAR = {f"theory/{name}.py": _theory(f"mutants_theory {names}") for name, names in THEORY.items()}
NEAR |= {f"deep/{name}.py": tests(f"methods/mutants {names}") for name, names in DEEP.items()}
NEAR["deep/tasks.py"] = ["verification/learners/test_learner_scores.py", *tests("methods/mutants envs/tasks")]

LEARNER = [
    f"verification/learners/test_learner_{name}.py" for name in ("adaptation", "kl", "critics", "scores", "tabular")
]
WIDE = {
    "theory": [
        *_theory("adaptation evaluation npg bounds cmdp offline safe_dql algorithms optimum sweep"),
        *LEARNER,
        "verification/tests/test_lattice_exact.py",
        "verification/tests/test_claims.py",
    ],
    "deep": [
        *tests("theory/adaptation methods/safe_adaptation methods/critics methods/score nn/nn data/replay envs/tasks"),
        *tests("methods/bc methods/diffusion_policy envs/reference"),
        *LEARNER,
        *tests("methods/safe_dql methods/drcorl methods/drcorl_options methods/hybrid methods/replicas runs/trainer"),
        *tests("ope/model_rollouts"),
        "verification/tests/test_lattice_theorem9.py",
    ],
}
"""Run where the nearest tests notice nothing."""

LEFT_OUT = ["verification/tests/test_claims.py::test_the_ledger_is_not_stale"]
"""It compares hashes of the sources and would notice any change of the code."""
