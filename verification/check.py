"""The trusted checker: it evaluates a certificate's statement from the raw instance, exactly or by enclosure.

    python -m verification.check verification/certificates/*.json

A certificate holds an instance (`given`), abbreviations (`let`), conditions (`assume`) and a `conclusion`, the value of
every abbreviation and of both sides of every comparison (`values`), and a `verdict`. "fails" means a counterexample:
the instance meets the conditions and certainly violates the conclusion. "holds" means that the instance certainly
satisfies the conclusion. `claim` names an entry of statements.json, and the statement, let, assume and conclusion have
to be those of that entry: a reader compares that file with the paper, the checker does the rest.

Numbers are exact rationals, "p/q". Where exp, log or sqrt enter, numbers are balls of 256 bits, and a stated decimal
must be the correct rounding of its ball. There is no floating point, and nothing of the rest of the project is used.

The language of formulas is Python's expressions with + - * / ** (whole powers), one comparison, indices, and FUNCTIONS.
Arrays are nested lists. Operations act entry by entry with the leading axes aligned: (S,) times (S, A) scales the rows.
The stem of a given name, which is the part before its first "_" or digit, fixes its axes (AXES). P, rho, pi, mu and D
are probability distributions over their last axis, gamma lies in [0, 1), S, A and T are whole numbers from 1 on, and
those of POSITIVE and NOT_NEGATIVE are what these say. An instance that violates this is rejected. No abbreviation may
have a stem of BOUND. An unknown stem, an unused name, an empty or ragged array, and a JSON key that occurs twice are
rejected, too.
"""

import ast
import hashlib
import json
import operator
import re
import sys
from functools import reduce

from flint import arb, arb_mat, ctx, fmpq, fmpq_mat

ctx.prec = 256


# Which stems of given names have which axes: S states, A actions, N components, each of one length in an instance.
STEMS = {
    "SAS": "P",
    "SA": "r c pi mu Q w z error",
    "S": "rho D v",
    "N": "g theta a b samples",
    "": "gamma eta beta alpha delta eps epsilon kappa tau multiplier penalty limit cost least variance true "
    "h k m q x y C F L M S A T",
}
AXES = {stem: axes for axes, stems in STEMS.items() for stem in stems.split()}
DISTRIBUTIONS = ("P", "rho", "pi", "mu", "D")
POSITIVE = "eta beta tau C F L M".split()
NOT_NEGATIVE = "c eps epsilon delta cost least limit h k variance".split()
BOUND = (*DISTRIBUTIONS, "c", "eta", "beta", "gamma")
BITS = 1_000_000  # of a number at most, of a power before it is computed: 9**99999999999 ended the process


class Rejected(Exception):
    """A certificate is rejected; one sentence gives the reason."""


def unique(pairs):
    """A JSON object whose keys differ: of two equal ones a reader sees the first and Python takes the last."""
    if len(dict(pairs)) < len(pairs):
        raise Rejected("a key occurs twice in one object.")
    return dict(pairs)


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, object_pairs_hook=unique)


def each(f, *args):
    """Apply f entry by entry, leading axes aligned."""
    lengths = {len(a) for a in args if isinstance(a, list)}
    if len(lengths) > 1:
        raise Rejected("two arrays do not fit together.")
    if not lengths:
        return f(*args)
    return [each(f, *(a[i] if isinstance(a, list) else a for a in args)) for i in range(lengths.pop())]


def flat(*args):
    return [x for a in args for x in (flat(*a) if isinstance(a, list) else [a])]


def total(*args):
    return reduce(operator.add, flat(*args), fmpq(0))


def dot(x, y):
    return total(each(operator.mul, x, y))


def last_axis(f):
    return lambda x: [last_axis(f)(row) for row in x] if isinstance(x[0], list) else f(x)


def sized(x, n=1):
    if isinstance(x, fmpq) and x.height_bits() * n > BITS:
        raise Rejected(f"a number has more than {BITS} bits.")
    return x


def larger(x, y):
    return max(x, y) if isinstance(x, fmpq) and isinstance(y, fmpq) else arb(x).max(arb(y))


def largest(*args):
    return reduce(larger, flat(*args))


def smallest(*args):
    return -largest(each(operator.neg, list(args)))


def solve(matrix, rhs):
    """The solution of a square system, exact where every entry is rational."""
    n, entries = len(rhs), flat(matrix)
    if all(isinstance(x, fmpq) for x in flat(matrix, rhs)):
        answer = fmpq_mat(n, n, entries).solve(fmpq_mat(n, 1, rhs))
    else:
        answer = arb_mat(n, n, [arb(x) for x in entries]).solve(arb_mat(n, 1, [arb(x) for x in rhs]))
    return [answer[i, 0] for i in range(n)]


def resolvent(P, gamma, pi):
    """I - gamma P_pi."""
    states = range(len(P))
    step = [[total([pi[s][a] * P[s][a][t] for a in range(len(pi[s]))]) for t in states] for s in states]
    return [[fmpq(s == t) - gamma * step[s][t] for t in states] for s in states]


def value(P, payoff, gamma, pi):
    """V(s) = E sum_t gamma^t payoff(s_t, a_t), from s_0 = s."""
    return solve(resolvent(P, gamma, pi), [dot(p, f) for p, f in zip(pi, payoff, strict=True)])


def visits(P, rho, gamma, pi):
    """d(s) = (1 - gamma) sum_t gamma^t Pr(s_t = s), from s_0 ~ rho."""
    transposed = [list(column) for column in zip(*resolvent(P, gamma, pi), strict=True)]
    return each(lambda x: x * (1 - gamma), solve(transposed, rho))


def divergence(p, q):
    """KL(p || q) over the last axis, with 0 log 0 = 0."""
    if isinstance(p[0], list):
        return [divergence(*rows) for rows in zip(p, q, strict=True)]
    if not all(x == 0 or x > 0 for x in p):
        raise Rejected("an entry of KL's first argument is neither exactly 0 nor certainly positive.")
    return total([x * (arb(x) / arb(y)).log() for x, y in zip(p, q, strict=True) if x > 0])


FUNCTIONS = {
    "value": value,
    "visits": visits,
    "expect": lambda P, v: [[dot(row, v) for row in rows] for rows in P],  # (P v)(s, a)
    "KL": divergence,
    "sum": total,
    "max": largest,
    "min": smallest,
    "rows": last_axis(total),  # the sum over the last axis
    "rowmax": last_axis(largest),
    "rowmin": last_axis(smallest),
    "len": lambda x: fmpq(len(x)),
    "exp": lambda x: each(lambda y: arb(y).exp(), x),
    "log": lambda x: each(lambda y: arb(y).log(), x),
    "sqrt": lambda x: each(lambda y: arb(y).sqrt(), x),
    "abs": lambda x: each(abs, x),
    "positive": lambda x: each(lambda y: larger(y, fmpq(0)), x),
}
BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
# A comparison of balls is true only where it is certain, hence a pair of tests for each sign: certainly, and not.
COMPARISONS = {
    ast.LtE: (operator.le, operator.gt),
    ast.Lt: (operator.lt, operator.ge),
    ast.GtE: (operator.ge, operator.lt),
    ast.Gt: (operator.gt, operator.le),
    ast.Eq: (lambda x, y: isinstance(x, fmpq) and x == y, lambda x, y: x < y or x > y),
}


def parse(text):
    """The expression of a formula. Comments and letters beyond ASCII, which Python reads otherwise, are rejected."""
    if not re.fullmatch(r"[\w+*/()\[\],.<>=! -]+", text, re.ASCII):
        raise Rejected(f"{text!r} is not in the checker's language.")
    return ast.parse(text.strip(), mode="eval").body


def evaluate(node, names, used):
    """The value of an expression; the names it reads are added to `used`."""
    match node:
        case ast.Constant(value=n) if type(n) is int:
            return fmpq(n)
        case ast.Name(id=name) if name in names:
            used.add(name)
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return each(operator.neg, evaluate(x, names, used))
        case ast.BinOp(op=ast.Pow(), left=x, right=ast.Constant(value=n)) if type(n) is int:
            return each(lambda y: sized(y, n) ** n, evaluate(x, names, used))
        case ast.BinOp(op=op, left=x, right=y) if type(op) in BINARY:
            return each(lambda *pair: sized(BINARY[type(op)](*pair)), *(evaluate(z, names, used) for z in (x, y)))
        case ast.Subscript(value=x, slice=ast.Constant(value=i)) if type(i) is int:
            return evaluate(x, names, used)[i]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(evaluate(x, names, used) for x in args))
    raise Rejected(f"{ast.unparse(node)!r} is not in the checker's language, or a name is unknown.")


def sides(text, names, used):
    """Both sides of a comparison, and whether it is certainly true and certainly false."""
    node = parse(text)
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1):
        raise Rejected(f"{text!r} is not one comparison.")
    left, right = (evaluate(x, names, used) for x in (node.left, node.comparators[0]))
    yes, no = COMPARISONS[type(node.ops[0])]
    pairs = flat(each(lambda x, y: (x, y), left, right))
    return [left, right], all(yes(*p) for p in pairs), any(no(*p) for p in pairs)


def rational(text):
    """An entry of an instance: "3", "-3/4"."""
    if not (isinstance(text, str) and re.fullmatch(r"-?[0-9]+(/[1-9][0-9]*)?", text)):
        raise Rejected(f"{text!r} is not a rational number.")
    return fmpq(*map(int, text.split("/")))


def shape(x):
    """The lengths of an array's axes, () of a number; Rejected where it is empty or ragged."""
    if not isinstance(x, list):
        return ()
    inner = {shape(y) for y in x}
    if len(inner) != 1:
        raise Rejected("an array is empty or ragged.")
    return len(x), *inner.pop()


def instance(given):
    """The instance's numbers; Rejected where they violate what their names promise."""
    names, sizes = {name: each(rational, entry) for name, entry in given.items()}, {}
    for name, x in names.items():
        stem, lengths = re.split(r"[_0-9]", name)[0], shape(x)
        if stem not in AXES:
            raise Rejected(f"{name!r} has a stem that AXES does not know.")
        axes = AXES[stem]
        if len(axes) != len(lengths) or any(sizes.setdefault(k, n) != n for k, n in zip(axes, lengths, strict=True)):
            raise Rejected(f"{name} has the shape {lengths}, where its name requires ({', '.join(axes)}).")
        least = min(flat(x))
        if stem in DISTRIBUTIONS and not (least >= 0 and all(s == 1 for s in flat(last_axis(total)(x)))):
            raise Rejected(f"{name} is not a probability distribution.")
        inside = dict.fromkeys(POSITIVE, least > 0) | dict.fromkeys(NOT_NEGATIVE, least >= 0)
        inside |= {"gamma": 0 <= least < 1} | dict.fromkeys("SAT", least >= 1 and least.q == 1)
        if not inside.get(stem, True):
            raise Rejected(f"{name} is out of range.")
    return names


def agrees(stated, x):
    """Whether the stated value is x: exactly, or to the last of at least 20 digits, the first of which is not 0."""
    if isinstance(x, list):
        return isinstance(stated, list) and len(stated) == len(x) and all(map(agrees, stated, x))
    if isinstance(x, fmpq):
        return rational(stated) == x
    if not (isinstance(stated, str) and (parts := re.fullmatch(r"(-?[0-9])\.([0-9]{19,})e(-?[0-9]{1,6})", stated))):
        return False
    if parts[1] in ("0", "-0"):
        return bool(re.fullmatch(r"0\.0+e0", stated) and x == 0)
    unit = fmpq(10) ** (int(parts[3]) - len(parts[2]))
    return bool(abs(x - int(parts[1] + parts[2]) * unit) <= unit / 2)


def digest(certificate):
    """Guards the prose too: whatever is not arithmetic; it is no evidence."""
    rest = {key: entry for key, entry in certificate.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def measure(given, let, assume, conclusion):
    """A statement's values at an instance; whether the conditions, the conclusion and its negation are certain."""
    names, used = instance(given), set()
    for name, text in let.items():
        if name in names or name in FUNCTIONS:
            raise Rejected(f"{name} is defined twice.")
        if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or re.split(r"[_0-9]", name)[0] in BOUND:
            raise Rejected(f"{name!r} is no name for an abbreviation.")
        names[name] = evaluate(parse(text), names, used)
    conditions = [sides(text, names, used) for text in assume]
    ends, true, false = sides(conclusion, names, used)
    if unused := set(given) - used:
        raise Rejected(f"{', '.join(sorted(unused))} is given and never used.")
    values = {"let": {name: names[name] for name in let}, "assume": [x[0] for x in conditions], "conclusion": ends}
    return values, all(x[1] for x in conditions), true, false


def bind(certificate):
    """Raise Rejected unless the words and formulas are those of the claim that the certificate names."""
    entry = read(__file__.removesuffix("check.py") + "statements.json").get(certificate["claim"])
    if entry is None:
        raise Rejected(f"{certificate['claim']!r} is not a claim of statements.json.")
    if wrong := [field for field, text in entry.items() if certificate[field] != text]:
        raise Rejected(f"its {wrong[0]} is not that of {certificate['claim']} in statements.json.")


def verify(certificate):
    """Raise Rejected unless the instance gives the stated values and the verdict, whatever the claim's name is."""
    fields = {"claim", "statement", "given", "let", "assume", "conclusion", "verdict", "values", "digest"}
    if set(certificate) != fields or certificate["verdict"] not in ("holds", "fails"):
        raise Rejected(f"a certificate has the fields {', '.join(sorted(fields))}, and holds or fails.")
    if certificate["digest"] != digest(certificate):
        raise Rejected("its digest does not fit its contents.")
    values, assumed, true, false = measure(*(certificate[x] for x in ("given", "let", "assume", "conclusion")))
    stated = certificate["values"]
    if set(stated) != set(values) or set(stated["let"]) != set(values["let"]):
        raise Rejected("the values stated are not those defined.")
    everything = [(part, stated[part], values[part]) for part in ("assume", "conclusion")]
    for name, given_value, x in everything + [(name, stated["let"][name], x) for name, x in values["let"].items()]:
        if not agrees(given_value, x):
            raise Rejected(f"a stated value of {name} is not what the instance gives.")
    if not assumed:
        raise Rejected("a condition is not certain.")
    if not (true if certificate["verdict"] == "holds" else false):
        raise Rejected(f"its conclusion does not certainly {certificate['verdict'][:-1]}.")


def check(certificate):
    """Raise Rejected unless the certificate holds and is about the claim that it names."""
    verify(certificate)
    bind(certificate)


def main(paths):
    """0 where every certificate holds, 1 with a sentence otherwise, 2 for an option, 130 for an interruption."""
    if not paths or {"-h", "--help"} & set(paths):
        print("usage: python -m verification.check FILE...\n\nCheck certificates, exactly or by enclosure.")
        return 0 if paths else 1
    if options := [path for path in paths if path.startswith("-")]:
        print(f"error: {options[0]} is not an option; see python -m verification.check --help.", file=sys.stderr)
        return 2
    path = ""
    try:
        for path in paths:
            check(read(path))
    except Exception as reason:
        kind = "" if isinstance(reason, Rejected) else f"it cannot be read as a certificate, {type(reason).__name__}: "
        print(f"{path}: {kind}{reason}")
        return 1
    except KeyboardInterrupt:
        print(f"interrupted at {path}.", file=sys.stderr)
        return 130
    print(f"{len(paths)} certificates hold.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
