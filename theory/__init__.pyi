"""What type checkers know of the package: `theory.optimum` is imported lazily."""

from theory.cmdp.dense import FiniteCMDP as FiniteCMDP
from theory.optimum import Certificate as Certificate
from theory.optimum import Solution as Solution
from theory.optimum import solve as solve
from theory.support.errors import InputError as InputError
