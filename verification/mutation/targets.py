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
    "methods/bc": "methods/bc",
    "methods/drcorl/drcorl": "methods/drcorl_options methods/drcorl",
    "methods/drcorl/cloning": "methods/drcorl_options methods/drcorl",
    "methods/safe_dql/safe_dql": "methods/safe_dql",
    "methods/drcorl/behaviour_model": "methods/score methods/drcorl_options",
    "methods/safe_dql/best_of_n": "methods/safe_dql",
    "methods/parts/critics": "methods/critics",
    "methods/drcorl/score": "methods/score",
    "methods/parts/diffusion_policy": "methods/diffusion_policy",
    "methods/drcorl/gate": "methods/drcorl methods/drcorl_options methods/hybrid",
    "methods/drcorl/hybrid": "methods/hybrid",
    "nn/parameters": "nn/nn",
    "nn/policies": "nn/nn methods/drcorl",
    "data/replay": "data/replay",
    "methods/drcorl/safe_adaptation": "methods/safe_adaptation methods/drcorl_options",
    "methods/safe_dql/twin_critics": "methods/safe_dql",
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
