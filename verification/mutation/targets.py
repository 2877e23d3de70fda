"""What is mutated, and which tests are asked first."""

THEORY = {
    "adaptation": "adaptation theory/algorithms",
    "algorithms": "theory/algorithms theory/bounds",
    "bounds": "theory/bounds theory/safe_dql",
    "cmdp": "theory/cmdp theory/evaluation",
    "critics": "theory/offline",
    "evaluation": "theory/evaluation theory/npg",
    "npg": "theory/npg theory/algorithms",
    "offline": "theory/offline",
    "optimum/__init__": "theory/optimum",
    "optimum/certificate": "theory/optimum",
    "optimum/conic": "theory/optimum",
    "optimum/lagrangian": "theory/optimum",
    "optimum/linear_program": "theory/optimum",
    "outputs": "theory/algorithms",
    "reference": "theory/algorithms",
    "safe_dql": "theory/safe_dql",
}
DEEP = {
    "algorithms/bc": "bc",
    "algorithms/drcorl": "drcorl_options drcorl",
    "algorithms/safe_dql": "safe_dql",
    "behaviour": "diffusion drcorl_options",
    "choosing": "safe_dql",
    "critics": "critics",
    "diffusion": "diffusion",
    "diffusion_policy": "diffusion_policy",
    "gates": "drcorl drcorl_options online",
    "online": "online",
    "optimisation": "networks",
    "policies": "networks drcorl",
    "replay": "replay",
    "safe_adaptation": "safe_adaptation drcorl_options",
    "twins": "safe_dql",
}


def tests(names: str) -> list[str]:
    """tests/theory/test_npg.py for theory/npg, tests/test_bc.py for bc."""
    parts = [name.rpartition("/") for name in names.split()]
    return [f"tests/{folder}{slash}test_{name}.py" for folder, slash, name in parts]


NEAR = {f"theory/{name}.py": tests(f"mutants_theory {names}") for name, names in THEORY.items()}
NEAR |= {f"deep/{name}.py": tests(f"mutants_deep {names}") for name, names in DEEP.items()}
NEAR["deep/tasks.py"] = ["verification/test_learner_scores.py", *tests("mutants_deep tasks")]

LEARNER = [f"verification/test_learner_{name}.py" for name in ("adaptation", "kl", "critics", "scores", "tabular")]
WIDE = {
    "theory": [
        *tests("adaptation theory/evaluation theory/npg theory/bounds theory/cmdp theory/offline theory/safe_dql"),
        *tests("theory/algorithms theory/optimum theory/sweep"),
        *LEARNER,
        "verification/test_lattice_exact.py",
        "verification/test_claims.py",
    ],
    "deep": [
        *tests("adaptation safe_adaptation critics diffusion networks replay tasks bc diffusion_policy reference"),
        *LEARNER,
        *tests("safe_dql drcorl drcorl_options online replicas trainer estimates"),
        "verification/test_lattice_theorem9.py",
    ],
}
"""Asked where the nearest tests notice nothing."""

LEFT_OUT = ["verification/test_claims.py::test_the_ledger_is_not_stale"]
"""It compares hashes of the sources and would notice a changed comment as well."""
