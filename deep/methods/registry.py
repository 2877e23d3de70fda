"""The methods by the name that commands accept. A method's module is imported when the method is used, not before."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from theory.support.errors import InputError

if TYPE_CHECKING:
    from deep.methods.spec import MethodSpec


@dataclass(frozen=True)
class Entry:
    """Where a method's specification is."""

    path: str
    """MODULE:NAME."""

    @property
    def module(self) -> str:
        """The module that holds the method."""
        return self.path.partition(":")[0]

    @property
    def spec(self) -> "MethodSpec":
        """The specification; imports the method's module."""
        return _read(self.path)


@cache
def _read(path: str) -> "MethodSpec":
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


METHODS: dict[str, Entry] = {
    "bc_all": Entry("deep.methods.bc:ALL"),
    "bc_safe": Entry("deep.methods.bc:SAFE"),
    "bc_best": Entry("deep.methods.bc:BEST"),
    "bcq_lag": Entry("deep.methods.actor_critic.bcq_lag:SPEC"),
    "bear_lag": Entry("deep.methods.actor_critic.bear_lag:SPEC"),
    "cpq": Entry("deep.methods.actor_critic.cpq:SPEC"),
    "coptidice": Entry("deep.methods.actor_critic.coptidice:SPEC"),
    "caps": Entry("deep.methods.actor_critic.caps:SPEC"),
    "bcrl": Entry("deep.methods.actor_critic.bcrl:SPEC"),
    "fisor": Entry("deep.methods.fisor:SPEC"),
    "carl": Entry("deep.methods.actor_critic.carl:SPEC"),
    "o3srl": Entry("deep.methods.actor_critic.o3srl:SPEC"),
    "ccac": Entry("deep.methods.actor_critic.ccac:SPEC"),
    "cdt": Entry("deep.methods.sequence.cdt:SPEC"),
    "b2r": Entry("deep.methods.sequence.cdt:SPEC_B2R"),
    "cdd": Entry("deep.methods.sequence.tcdp:SPEC_CDD"),
    "tcdp": Entry("deep.methods.sequence.tcdp:SPEC"),
    "sdgd": Entry("deep.methods.sequence.tcdp:SPEC_SDGD"),
    "trebi": Entry("deep.methods.sequence.trebi:SPEC"),
    "diffuser": Entry("deep.methods.sequence.trebi:SPEC_DIFFUSER"),
    "drcorl": Entry("deep.methods.drcorl.drcorl:SPEC"),
    "safe_dql": Entry("deep.methods.safe_dql.safe_dql:SPEC"),
}
"""In the order of tables and figures."""

if TYPE_CHECKING:
    Algorithm = str
else:
    Algorithm = Literal[tuple(METHODS)]
"""The type of an option that names a method."""


def spec_of(algorithm: str) -> "MethodSpec":
    """The specification of a method; raises `InputError` for a name that is not registered."""
    if algorithm not in METHODS:
        raise InputError(f"unknown algorithm {algorithm!r}: accepted are {', '.join(METHODS)}")
    return METHODS[algorithm].spec


def rank_of(algorithm: str) -> tuple[int, str]:
    """A sort key: the order of the registry, then the names that are not registered."""
    names = list(METHODS)
    return (names.index(algorithm) if algorithm in METHODS else len(names), algorithm)
