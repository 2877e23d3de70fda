"""The grid of a sweep: which CMDPs, which algorithms, which settings; and its division into jobs.

Names are text here, so that a grid is checked without torch.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import product

from theory.support.errors import InputError, check_seeds

FAMILIES = (
    "dirichlet", "peaked", "garnet", "gridworld", "chain", "deterministic", "unreachable", "bandit",
    "zero_reward", "zero_cost",
)  # fmt: skip
"""The keys of `theory.cmdp.families.FAMILIES`."""
ALGORITHMS = ("manipulation", "crpo", "pid", "primal_dual")
"""Of `theory.npg.algorithms.Algorithm`."""
METRICS = ("fisher", "euclidean", "advantage", "q_vector")
"""Of `theory.npg.npg.Metric`: where the inner products of the two gradients are taken."""
SCHEDULES = ("corrected", "printed", "shrinking")
CRITICS = ("model", "ensemble", "fitted", "fitted_printed")
JOB_ROWS = 200
MOST_STEPS, MOST_SEEDS, MOST_STATES = 10**9, 1000, 1000
"""What is beyond would be a slip: its list of runs or its dense P alone would not fit into memory."""
LARGEST = 1e12
"""The largest tightness, penalty and bias: float64 keeps nothing else beside a larger one."""


@dataclass(frozen=True)
class Grid:
    """The sweep's axes; every meaningful combination is run.

    An instance is family:states:actions, with at least two actions. Exact critics cross all algorithms with all steps;
    estimated ones cross `data_algorithms`, `critics` and `data` at `data_steps` iterations; Safe-DQL crosses
    `penalties` and `biases`.
    """

    instances: tuple[str, ...] = ("dirichlet:2:2", "garnet:2:2", "chain:3:2", "dirichlet:3:2", "bandit:1:3")
    """The families and sizes, where the bounds can say something at small gamma."""
    gammas: tuple[float, ...] = (0.3, 0.5)
    large_instances: tuple[str, ...] = ("gridworld:9:4",)
    """Larger CMDPs, run at `large_gammas`; the bounds are vacuous there, and are counted as such."""
    large_gammas: tuple[float, ...] = (0.9,)
    tightness: tuple[float, ...] = (0.3, 0.7)
    """Budgets between the smallest cost (0) and the reward optimum's (1)."""
    steps: tuple[int, ...] = (300, 1000, 3000, 10000)
    """T, iterations per run."""
    algorithms: tuple[str, ...] = ALGORITHMS
    metrics: tuple[str, ...] = METRICS
    """Metrics of the projection; manipulation only."""
    schedules: tuple[str, ...] = SCHEDULES
    """corrected: the corrected theorem's eta and h+; printed: the preprint's; shrinking: slacks from .2 l to 0."""
    data: tuple[int, ...] = (100, 1000, 10000)
    """N, sizes of the offline data sets."""
    data_steps: int = 300
    data_algorithms: tuple[str, ...] = ("manipulation", "crpo")
    critics: tuple[str, ...] = CRITICS
    penalties: tuple[float, ...] = (1.0, 10.0, 100.0)
    """lambda of Safe-DQL's hinge."""
    biases: tuple[float, ...] = (-0.1, 0.0, 0.1)
    """Bias of Safe-DQL's cost critics, in units of V_c."""
    seeds: int = 3
    first_seed: int = 0

    def __post_init__(self) -> None:
        self._check_names()
        self._check_numbers()
        self._check_runs()

    def _check_names(self) -> None:
        for text in (*self.instances, *self.large_instances):
            parse_instance(text)
        choices = {
            "algorithm": (self.algorithms, ALGORITHMS),
            "data algorithm": (self.data_algorithms, ALGORITHMS),
            "metric": (self.metrics, METRICS),
            "schedule": (self.schedules, SCHEDULES),
            "critic": (self.critics, CRITICS),
        }
        for what, (given, allowed) in choices.items():
            for name in set(given) - set(allowed):
                raise InputError(f"{what} must be one of {', '.join(allowed)}, not {name!r}.")

    def _check_numbers(self) -> None:
        for gamma in (*self.gammas, *self.large_gammas):
            if not 0 <= gamma < 1:
                raise InputError(f"gamma must lie in [0, 1), not {gamma:g}.")
        for what, most, numbers in (
            ("steps", MOST_STEPS, (*self.steps, self.data_steps)),
            ("data sizes", MOST_STEPS, self.data),
            ("the number of seeds", MOST_SEEDS, (self.seeds,)),
        ):
            if min(numbers, default=1) < 1 or max(numbers, default=1) > most:
                raise InputError(f"{what} must lie from 1 to {most}, not {' '.join(map(str, numbers))}.")
        check_seeds([self.first_seed])
        for what, numbers in (("tightness", self.tightness), ("penalties", self.penalties)):
            for number in numbers:
                if not 0 <= number <= LARGEST:  # a tightness below 0 is an infeasible budget, which no bound covers
                    raise InputError(f"{what} must lie from 0 to {LARGEST:g}, not {number:g}.")
        for bias in self.biases:
            if not abs(bias) <= LARGEST:
                raise InputError(f"biases must be of at most {LARGEST:g} in size, not {bias:g}.")

    def _check_runs(self) -> None:
        """Raise InputError where an axis is empty or a run is repeated."""
        if not (self.instances or self.large_instances):
            raise InputError("instances and large_instances are both empty; at least one instance is needed.")
        for name in ("tightness", "steps", "algorithms", "metrics", "schedules"):
            if not getattr(self, name):
                raise InputError(f"{name} is empty; at least one entry is needed.")
        for instances, gammas in (("instances", "gammas"), ("large_instances", "large_gammas")):
            if getattr(self, instances) and not getattr(self, gammas):
                raise InputError(f"{gammas} is empty, although there are {instances}.")
        estimated = self.instances and self.critics and self.data and "manipulation" in self.data_algorithms
        if estimated and not ("advantage" in self.metrics and "corrected" in self.schedules):
            raise InputError(
                "manipulation with estimated critics runs in the metric advantage on the schedule corrected: list "
                "both, or leave it out of data_algorithms."
            )
        seen: set[Cell] = set()
        for cell in expand(self):
            if cell in seen:
                repeated = ", ".join(f"{name} {value}" for name, value in asdict(cell).items() if value != "")
                raise InputError(f"the grid contains the same run twice: {repeated}.")
            seen.add(cell)


@dataclass(frozen=True, order=True)
class Cell:
    """One run. N = 0 means exact critics; `algorithm` "safe_dql" uses penalty and bias instead of steps and N."""

    family: str
    states: int
    actions: int
    gamma: float
    tightness: float
    seed: int
    algorithm: str
    metric: str = ""
    schedule: str = "corrected"
    critic: str = "exact"
    steps: int = 0
    N: int = 0
    penalty: float = 0.0
    bias: float = 0.0


@dataclass(frozen=True)
class Job:
    """Runs of equal shape, length and kind, which share a batch; the unit of progress, resumption and parallelism."""

    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        text = json.dumps([asdict(cell) for cell in self.cells])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def weight(self) -> float:
        """About how long it takes; 1 is one iteration of a batch."""
        cell = self.cells[0]
        dearer = {"exact": 1, "model": 2, "ensemble": 4}.get(cell.critic, 15)
        return max(cell.steps, 1) * dearer * (1 + len(self.cells) / 200) * (1 + cell.states / 6)


def parse_instance(text: str) -> tuple[str, int, int]:
    """ "garnet:3:2" -> ("garnet", 3, 2); InputError for anything else."""
    family, *sizes = text.split(":")
    if (
        family not in FAMILIES
        or len(sizes) != 2
        or not all(size.isascii() and size.isdigit() and size.strip("0") for size in sizes)
    ):
        raise InputError(f"an instance is family:states:actions with a family of {', '.join(FAMILIES)}, not {text!r}.")
    if max(map(len, sizes)) > len(str(MOST_STATES)) or max(map(int, sizes)) > MOST_STATES:
        raise InputError(f"an instance has at most {MOST_STATES} states and actions, not {text[:40]!r}.")
    if int(sizes[1]) < 2:  # log A = 0 leaves no step size
        raise InputError(f"an instance needs at least two actions, not {text!r}.")
    return family, int(sizes[0]), int(sizes[1])


def expand(grid: Grid) -> list[Cell]:
    """All runs of a grid, in a fixed order."""
    cells: list[Cell] = []
    groups = [(grid.instances, grid.gammas, True), (grid.large_instances, grid.large_gammas, False)]
    for instances, gammas, small in groups:
        seeds = range(grid.first_seed, grid.first_seed + grid.seeds)
        for text, gamma, tightness, seed in product(instances, gammas, grid.tightness, seeds):
            family, states, actions = parse_instance(text)
            where = (family, states, actions, gamma, tightness, seed)
            for variant, steps in product(variants(grid.algorithms, grid), grid.steps):
                cells.append(Cell(*where, *variant, steps=steps))
            if small:
                cells += [Cell(*where, "safe_dql", penalty=p, bias=b) for p, b in product(grid.penalties, grid.biases)]
                cells += [
                    Cell(*where, *variant, critic=critic, steps=grid.data_steps, N=N)
                    for variant, critic, N in product(variants(grid.data_algorithms, grid), grid.critics, grid.data)
                    if variant[1] in ("", "advantage") and variant[2] == "corrected"
                ]
    return cells


def variants(algorithms: tuple[str, ...], grid: Grid) -> list[tuple[str, str, str]]:
    """(algorithm, metric, schedule): only manipulation has metrics and schedules."""
    combinations = []
    for algorithm in algorithms:
        if algorithm == "manipulation":
            combinations += [
                (algorithm, metric, schedule) for metric, schedule in product(grid.metrics, grid.schedules)
            ]
        else:
            combinations.append((algorithm, "", "corrected"))
    return combinations


def jobs(cells: list[Cell]) -> list[Job]:
    """Group runs that can share a batch, at most JOB_ROWS each; the longest jobs first."""
    groups: dict[tuple, list[Cell]] = {}
    for cell in cells:
        key = (cell.states, cell.actions, cell.steps, cell.critic, cell.algorithm == "safe_dql")
        groups.setdefault(key, []).append(cell)
    divided = []
    for group in groups.values():
        pieces = -(-len(group) // JOB_ROWS)
        divided += [Job(tuple(group[i::pieces])) for i in range(pieces)]
    return sorted(divided, key=lambda job: (-job.weight, job.name))
