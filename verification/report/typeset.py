"""Formulas of the report's texts as HTML: Greek letters, subscripts, superscripts and signs; no font, no network."""

# ruff: noqa: RUF001 - Greek letters and signs are what this file is for

import re
from html import escape

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eps": "ε", "eta": "η", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "theta": "θ", "Delta": "Δ", "Sigma": "Σ",
}  # fmt: skip
SIGNS = (("&lt;=", "≤"), ("&gt;=", "≥"), ("-&gt;", "→"), ("||", "∥"), ("sqrt(", "√("))
CODE = re.compile(
    r"(?:\b(?:theory|deep|verification|python)\b[\w./-]*[._/][\w./-]*[\w/-])|`[^`]+`|\b\w+\.(?:json|py|md)\b"
)
NAME = r"(?:[A-Za-z]{1,2}|[α-ωΑ-Ω]|KL|TV)"
INDEX = r"(?:\{[^{}]*\}|[A-Za-z0-9α-ω]+)"
SUBSCRIPT = re.compile(rf"(?<![\w>])({NAME})_({INDEX})")
POWER = re.compile(r"\^(\{[^{}]*\}|\([^()]*\)|[A-Za-z0-9α-ω+*-]+)")
WORD = re.compile(r"(?<![A-Za-z])(" + "|".join(sorted(GREEK, key=len, reverse=True)) + r")(?![A-Za-z])")


def typeset(text: str) -> str:
    """HTML of a sentence with formulas in plain letters; file and module names are set as code."""
    parts, end = [], 0
    for match in CODE.finditer(text):
        parts += [_formulas(text[end : match.start()]), f"<code>{escape(match[0].strip('`'))}</code>"]
        end = match.end()
    return "".join([*parts, _formulas(text[end:])])


def _formulas(text: str) -> str:
    text = escape(text, quote=False)
    for plain, sign in SIGNS:
        text = text.replace(plain, sign)
    text = WORD.sub(lambda match: GREEK[match[1]], text)
    text = re.sub(r"√\((\w)\)", r"√\1", text)
    text = re.sub(rf"(?<![\w>])({NAME}|_\w+)\*(?=[\s,.;:)\]|/(]|$)", r"\1^*", text)
    text = re.sub(r"\bh([+-])(?=[\s,.;:)]|$)", r"h^\1", text)
    text = re.sub(r"\|_(\w+)", r"|<sub>\1</sub>", text)
    text = SUBSCRIPT.sub(lambda match: f"<i>{match[1]}</i><sub>{match[2].strip('{}')}</sub>", text)
    text = re.sub(r"(\b(?:sum|min|max)|∑)_(\{[^{}]*\}|\w+)", lambda m: f"{m[1]}<sub>{m[2].strip('{}')}</sub>", text)
    text = re.sub(r"(</sub>)\*(?=[\s,.;:)\]|/(]|$)", r"\1^*", text)
    text = POWER.sub(lambda match: f"<sup>{match[1].strip('{}()')}</sup>".replace("*", "∗").replace("-", "−"), text)
    return re.sub(r"(?<= )-(?= )|(?<=\d)-(?=[α-ω])", "−", text)


def row(*parts: str) -> str:
    return "<mrow>" + "".join(parts) + "</mrow>"


def _atoms(text: str) -> str:
    """MathML of a flat formula: letters, numbers and signs."""
    answer = []
    for token in re.findall(r"[A-Za-zα-ωΑ-Ω]|\d+|\S", text):
        tag = "mn" if token.isdigit() else "mi" if token.isalpha() else "mo"
        still = ' stretchy="false"' if token in "()" else ' form="infix"' if token == "+" and len(text) > 1 else ""
        answer.append(f"<{tag}{still}>{escape(token)}</{tag}>")
    return row(*answer)


def power(base: str, exponent: str) -> str:
    return f"<msup>{_atoms(base)}{_atoms(exponent)}</msup>"


def over(top: str, bottom: str) -> str:
    return f"<mfrac>{row(top)}{row(bottom)}</mfrac>"


def root(inner: str) -> str:
    return f"<msqrt>{inner}</msqrt>"


def display(*parts: str) -> str:
    return f'<math display="block">{row(*parts)}</math>'


def corrected_theorem() -> str:
    """The corrected Theorem 3.1, as displayed formulas."""
    op, gap = _atoms, row("<mtext>gap</mtext>")
    horizon4, horizon2 = power("(1−γ)", "4"), power("(1−γ)", "2")
    KL = row("<mi>KL</mi>")
    KL_0 = f"<msub>{KL}{op('0')}</msub>"
    K = display(
        op("K="),
        over(row(op("SA"), power("M", "2")), row(op("4"), horizon4)),
        op(","),
        "<mspace width='2em'/>",
        op("R="),
        over(KL_0, op("η")),
        op("+ηTK,"),
        "<mspace width='2em'/>",
        f"<msup>{op('h')}{op('+')}</msup>",
        op("≥"),
        over(op("R"), op("T")),
    )
    G = display(
        gap,
        op("≤"),
        over(op("2R"), op("T")),
        op(","),
        "<mspace width='2em'/>",
        "<mtext>violation</mtext>",
        op("≤"),
        f"<msup>{op('h')}{op('+')}</msup>",
        op(","),
        "<mspace width='2em'/>",
        "<mtext>with the best η: gap</mtext>",
        op("≤"),
        over(row(op("2M")), horizon2),
        root(row(KL_0, op("SA/T"))),
    )
    return K + G
