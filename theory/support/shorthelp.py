"""The short help of a command with many options."""

import shutil
import textwrap
from collections.abc import Collection, Sequence

from theory.support.options import Option


def short_help(
    prog: str, title: str, options: Sequence[Option], shown: Collection[str], rest: str = "All options."
) -> str:
    """Usage and the options whose names are `shown`, in that order; `rest` says what --help-all shows."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    by_name = {option.name: option for option in options}
    lines = [f"usage: {prog} [OPTIONS]", "", *textwrap.wrap(title, width), ""]
    for name in shown:
        option = by_name[name]
        heading = f"  --{name} {_metavar(option)}".rstrip()
        default = (
            "" if option.kind == "bool" or option.default in ("None", "()", "") else f" (default: {_default(option)})"
        )
        text = textwrap.wrap(option.help + default, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
        lines += [heading, *text]
    lines += ["  -h, --help", "      This help."]
    lines += ["  --help-all", f"      {rest}"]
    return "\n".join(lines)


def _default(option: Option) -> str:
    return option.default.removeprefix("Path").strip("()").rstrip(",").strip("'\"")


def _metavar(option: Option) -> str:
    if option.kind == "bool":
        return ""
    names = {"int": "INT", "float": "NUMBER"}
    kind = "|".join(option.values) or names.get(option.kind, option.name.rsplit("-", 1)[-1].upper())
    return f"{kind} [{kind} ...]" if option.several else kind
