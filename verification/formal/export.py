"""Certificates.v: the rational certificates as terms of Checker.v, written by `python -m verification.formal --export`.

Certificates whose formulas need exp, log, a root or KL are left out; `outside` names them.
"""

import ast
import re
from collections.abc import Sequence
from typing import Any

from verification.checker.certify import CERTIFICATES, read

OUTSIDE = re.compile(r"\b(exp|log|sqrt|KL)\(")
COMPARISONS = {ast.LtE: "Le", ast.Lt: "Lt", ast.GtE: "Ge", ast.Gt: "Gt", ast.Eq: "Eq"}
OPERATIONS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
HEADER = """(* Generated from verification/certificates by python -m verification.formal --export; not to be edited.
   Each lemma says that Checker.v confirms the certificate: the claim fails at the instance; of an optimum it holds. *)
Require Import Checker QArith String Ascii ZArith List.
Import ListNotations.
Open Scope Q_scope.
"""


def names() -> tuple[list[str], list[str]]:
    """The certificates inside Checker.v's language, and those outside, sorted."""
    inside: list[str] = []
    outside: list[str] = []
    for path in sorted(CERTIFICATES.glob("*.json")):
        content = read(path.stem)
        formulas = [*content["let"].values(), *content["assume"], content["conclusion"]]
        (outside if any(map(OUTSIDE.search, formulas)) else inside).append(path.stem)
    return inside, outside


def tensor(entry: Any) -> str:
    """Nested lists of "p/q" as a tensor."""
    if isinstance(entry, list):
        return f"Arr [{'; '.join(map(tensor, entry))}]"
    numerator, _, denominator = entry.partition("/")
    return f"Num ({numerator} # {denominator or 1})"


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


def lemma(name: str) -> str:
    """A certificate and the lemma about it, with its formulas beside their terms."""
    content = read(name)
    fails = content["verdict"] == "fails"
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
Lemma {name}_{"fails" if fails else "holds"} : confirms {"false" if fails else "true"} certificate_{name} = true.
Proof. vm_compute. reflexivity. Qed.
"""


def text() -> str:
    """The file."""
    inside, outside = names()
    left_out = f"(* Outside the language, and checked by verification/check.py alone: {', '.join(outside)}. *)\n"
    return HEADER + left_out + "".join(map(lemma, inside))
