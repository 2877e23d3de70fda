"""The certificates as terms of Checker.v, written by `python -m verification.formal --export`.

Certificates.v has those whose formulas need no exp, log or KL; Enclosures.v has the others, which need the library
Coq-Interval.
"""

import ast
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from verification.checker.certify import CERTIFICATES, read

TRANSCENDENTAL = re.compile(r"\b(exp|log|KL)\(")
COMPARISONS = {ast.LtE: "Le", ast.Lt: "Lt", ast.GtE: "Ge", ast.Gt: "Gt", ast.Eq: "Eq"}
OPERATIONS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
HEADER = """(* Generated from verification/certificates by python -m verification.formal --export; not to be edited.
   Each lemma says that Checker.v confirms the certificate: the claim fails at the instance; of an optimum it holds. *)
Require Import {checker} QArith String Ascii ZArith List.
Import ListNotations.
Open Scope Q_scope.
"""


def names() -> tuple[list[str], list[str]]:
    """The certificates without exp, log and KL, and those with them, sorted."""
    rational: list[str] = []
    others: list[str] = []
    for path in sorted(CERTIFICATES.glob("*.json")):
        content = read(path.stem)
        formulas = [*content["let"].values(), *content["assume"], content["conclusion"]]
        (others if any(map(TRANSCENDENTAL.search, formulas)) else rational).append(path.stem)
    return rational, others


def tensor(entry: Any) -> str:
    """Nested lists of "p/q" or of decimals, which stand for what rounds to them, as a tensor."""
    if isinstance(entry, list):
        return f"Arr [{'; '.join(map(tensor, entry))}]"
    if "e" in entry:
        value, half = (
            Fraction(entry),
            Fraction(10) ** (int(entry.split("e")[1]) - len(entry.split(".")[1].split("e")[0])) / 2,
        )
        return f"Enc ({_ratio(value - half)}) ({_ratio(value + half)})"
    return f"Num ({_ratio(Fraction(entry))})"


def _ratio(x: Fraction) -> str:
    return f"{x.numerator} # {x.denominator}"


def formula(node: ast.expr) -> str:
    """An expression of the certificates' language as a formula."""
    match node:
        case ast.Constant(value=int(n)):
            return f"(Const {n})"
        case ast.Name(id=name):
            return f'(Var "{name}")'
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return f"(Neg {formula(x)})"
        case ast.BinOp(op=ast.Pow(), left=x, right=ast.Constant(value=int(n))):
            return f"(Pow {formula(x)} {n})"
        case ast.BinOp(op=op, left=x, right=y):
            return f'(Op "{OPERATIONS[type(op)]}" {formula(x)} {formula(y)})'
        case ast.Subscript(value=x, slice=ast.Constant(value=int(i))):
            return f"(At {formula(x)} {i})"
        case ast.Call(func=ast.Name(id=name), args=args):
            return f'(Call "{name}" [{"; ".join(map(formula, args))}])'
    raise ValueError(f"{ast.unparse(node)!r} is not in the language of certificates")


def comparison(text: str) -> str:
    node = ast.parse(text.strip(), mode="eval").body
    if not isinstance(node, ast.Compare):
        raise ValueError(f"{text!r} is no comparison")
    return f"({COMPARISONS[type(node.ops[0])]}, {formula(node.left)}, {formula(node.comparators[0])})"


def listed(items: Sequence[str]) -> str:
    return "[" + ";\n    ".join(items) + "]%string"


def pairs(entries: dict[str, Any]) -> str:
    return listed([f'("{name}", {tensor(x)})' for name, x in entries.items()])


def lemma(name: str, elementary: str) -> str:
    """A certificate and the lemma about it, with its formulas beside their terms."""
    content = read(name)
    fails = content["verdict"] == "fails"
    verdict = "false" if fails else "true"
    let = [f'("{x}", {formula(ast.parse(text, mode="eval").body)}) (* {text} *)' for x, text in content["let"].items()]
    assume = [f"{comparison(text)} (* {text} *)" for text in content["assume"]]
    left, right = content["values"]["conclusion"]
    return f"""
(* {content["statement"]} *)
Definition certificate_{name} := {{|
  given := {pairs(content["given"])};
  lets := {listed(let)};
  assumes := {listed(assume)};
  concludes := {comparison(content["conclusion"])} (* {content["conclusion"]} *);
  stated := {pairs(content["values"]["let"])};
  ends := ({tensor(left)}, {tensor(right)}) |}}.
Lemma {name}_{"fails" if fails else "holds"} : confirms {elementary} {verdict} certificate_{name} = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
"""


def texts() -> dict[str, str]:
    """The two files, by name."""
    rational, others = names()
    return {
        "Certificates": HEADER.replace("{checker}", "Checker") + "".join(lemma(name, "roots") for name in rational),
        "Enclosures": HEADER.replace("{checker}", "Checker Elementary")
        + "".join(lemma(name, "elementary") for name in others),
    }
