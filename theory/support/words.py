"""The words of a command line: unknown, misspelt and repeated options, values of a wrong kind, lists with commas."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from theory.support.errors import InputError
from theory.support.options import Option

HELP = ("-h", "--help", "--help-all")
DIGITS = 100
"""Of a number at most: a longer one is a slip, and a sentence cannot show it."""
MOST = 2**63 - 1
"""The largest whole number, as everything that counts has 64 bits."""


class Given(NamedTuple):
    """One option of a command line with its values; the name "" stands for the words before the first option."""

    name: str
    values: list[str]

    def words(self) -> list[str]:
        """The words again, each value apart; a value that begins with "--" stays attached."""
        if any(value.startswith("--") for value in self.values):
            return [f"--{self.name}={value}" for value in self.values]
        return [*([f"--{self.name}"] if self.name else []), *self.values]


def split(words: Iterable[str]) -> list[Given]:
    """The options in their order. A name may be written with _ for -."""
    given = [Given("", [])]
    for word in words:
        if word.startswith("--") and word != "--":
            name, equals, value = word[2:].partition("=")
            given.append(Given(name.replace("_", "-"), [value] if equals else []))
        else:
            given[-1].values.append(word)
    return given


def last_of_each(words: Iterable[str]) -> list[str]:
    """The words without the options that a later one of the same name replaces."""
    given = split(words)
    last = {entry.name: entry for entry in given}
    kept = [entry for entry in given if last[entry.name] is entry]
    return [word for entry in kept for word in entry.words()]


def checked(
    words: Sequence[str], options: Collection[Option], elsewhere: Mapping[str, Sequence[str]], of: str
) -> list[str]:
    """The words with lists spread out ("20,40" becomes two words).

    Args:
        words: the command line.
        options: those that are accepted.
        elsewhere: options that are not accepted, by name, with the methods that have them.
        of: what the accepted options belong to, such as "bc_all".

    Raises `InputError` for an option that is unknown, repeated, or has values of a wrong kind or number.
    """
    by_name = {option.name: option for option in options}
    switches = {f"no-{option.name}" for option in options if option.kind == "bool"}
    found, seen = list[str](), dict[str, Given]()
    for given in split(words):
        name = given.name
        option = by_name.get(name.removeprefix("no-") if name in switches else name)
        if not name:
            positional = [option for option in options if option.positional]
            if given.values and not positional:
                raise InputError(f"{given.values[0]!r} is not an option: options begin with --")
            found += given.values
            continue
        if option is None or option.positional:
            raise InputError(_unknown(name, [*by_name, *switches], elsewhere, of))
        if option.name in seen:
            raise InputError(_repeated(option, seen[option.name], given))
        seen[option.name] = given
        found += Given(name, list(_values(option, given))).words()
    return found


def _unknown(name: str, known: Collection[str], elsewhere: Mapping[str, Sequence[str]], of: str) -> str:
    if name in elsewhere:
        return f"--{name} is an option of {', '.join(elsewhere[name])}, not of {of}"
    close = get_close_matches(name, known, 1, 0.7)
    if close:
        return f"unknown option --{name}: did you mean --{close[0]}?"
    if close := get_close_matches(name, list(elsewhere), 1, 0.7):
        return f"unknown option --{name}: did you mean --{close[0]}, an option of {', '.join(elsewhere[close[0]])}?"
    return f"unknown option --{name}: --help-all shows all options"


def _repeated(option: Option, first: Given, second: Given) -> str:
    sentence = f"--{option.name} is given twice"
    if option.several:
        values = " ".join([*first.values, *second.values])
        return f"{sentence}: accepted is one list, --{option.name} {values}"
    return f"{sentence}: accepted is once"


def _values(option: Option, given: Given) -> Iterator[str]:
    values = given.values
    if option.several and option.kind != "text":
        values = [part for value in values for part in value.split(",") if part]
    if option.kind == "bool":
        if values:
            raise InputError(f"--{given.name} {values[0]}: accepted is --{option.name} or --no-{option.name}, no value")
        return
    if not option.several and len(values) != option.count:
        if option.optional and values == ["None"]:
            yield "None"
            return
        number = "one value" if option.count == 1 else f"{option.count} values"
        raise InputError(f"{' '.join([f'--{option.name}', *values])}: accepted is {number}")
    for value in values:
        if not (option.optional and value == "None"):
            _check(option, value, values)
        yield value


def _check(option: Option, value: str, values: Sequence[str]) -> None:
    sentence = f"--{option.name} {' '.join(values)}"
    plural = option.several or option.count > 1
    if option.kind == "literal" and value not in option.values:
        close = get_close_matches(value, option.values, 1, 0.6)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"{sentence}: accepted is {' or '.join(option.values)}{hint}")
    if option.kind in ("int", "float"):
        if (digits := sum(map(str.isdigit, value))) > DIGITS:
            shown = f"--{option.name} {value[:10]}... of {digits} digits"
            raise InputError(f"{shown}: accepted is a number of at most {DIGITS} digits")
        try:
            int(value) if option.kind == "int" else float(value)
        except ValueError:
            whole = "whole number" if option.kind == "int" else "number"
            raise InputError(f"{sentence}: accepted {f'are {whole}s' if plural else f'is a {whole}'}") from None
        if option.kind == "int" and abs(int(value)) > MOST:
            raise InputError(f"{sentence}: accepted {'are numbers' if plural else 'is a number'} of at most {MOST}")
