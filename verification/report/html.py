"""The report as one self-contained page: no script, font, image or style sheet from elsewhere."""

import re
from html import escape
from pathlib import Path

from verification.claims.claim import VERDICTS
from verification.report import entries as report
from verification.report.entries import Entry
from verification.report.lattice import tables as lattice_tables
from verification.report.overview import PAPERS, STORY, SUMMARIES, WEIGHTS
from verification.report.runs import tables as run_tables
from verification.report.typeset import corrected_theorem, typeset

PAGE = Path(__file__).parent / "page"
WIDTH, ROW, LABEL = 560, 18, 60


def prose(text: str) -> str:
    """Paragraphs and lists of the small Markdown that the report's texts use."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", typeset(" ".join(text.split())))
    text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
    if text.startswith("- "):
        return "<ul>" + "".join(f"<li>{item}</li>" for item in text[2:].split(" - ")) + "</ul>"
    return f"<p>{text}</p>"


def chart(entries: list[Entry]) -> str:
    """Bars up to 1: median (thick) and largest (thin) ratio over the instances, and the search's best (a ring)."""
    chosen = [e for e in entries if e["tightness"] and not e["evidence"]["certificates"]]
    rows = []
    for i, entry in enumerate(chosen):
        y, ratios = i * ROW + 12, entry["tightness"]
        largest, median = (min(max(ratios[name] or 0.0, 0.0), 1.0) for name in ("largest", "median"))
        rows.append(f'<text x="0" y="{y + 4}">{entry["id"]}</text>')
        rows.append(f'<rect x="{LABEL}" y="{y - 2}" width="{largest * WIDTH:.1f}" height="4" fill="#8888"/>')
        rows.append(f'<rect x="{LABEL}" y="{y - 5}" width="{median * WIDTH:.1f}" height="10" fill="#1a7f37"/>')
        if ratios["searched"] is not None:
            x = LABEL + min(ratios["searched"], 1.0) * WIDTH
            rows.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="none" stroke="#b42318" stroke-width="2"/>')
    height = len(chosen) * ROW + 30
    end = LABEL + WIDTH
    axis = f'<line x1="{end}" y1="0" x2="{end}" y2="{height - 20}" stroke="currentColor" stroke-dasharray="3"/>'
    ticks = "".join(
        f'<text x="{LABEL + t * WIDTH:.0f}" y="{height - 6}" text-anchor="middle">{t:g}</text>' for t in (0, 0.5, 1)
    )
    label = "ratios of left to right side"
    return f'<svg viewBox="0 0 {end + 20} {height}" role="img" aria-label="{label}">{"".join(rows)}{axis}{ticks}</svg>'


def article(entry: Entry) -> str:
    facts = "".join(
        f"<p><b>{escape(label)}.</b> {typeset(text)}</p>"
        for label, text in report.facts(entry)
        if label not in ("Proof", "Negative control", "Seed and tolerance")
    )
    hidden = [
        (label, f"<p>{typeset(text)}</p>")
        for label, text in report.facts(entry)
        if label in ("Proof", "Negative control", "Seed and tolerance")
    ]
    for name in entry["evidence"]["certificates"]:
        hidden.append((f"Counterexample {name}", f"<pre>{escape(chr(10).join(report.counterexample(name)))}</pre>"))
    hidden.append(("Check again", f"<pre>{escape(chr(10).join(report.again(entry)))}</pre>"))
    details = "".join(f"<details><summary>{escape(label)}</summary>{body}</details>" for label, body in hidden)
    verdict = entry["verdict"]
    return (
        f'<article id="{entry["id"]}" data-verdict="{verdict}" data-paper="{report.paper(entry)}">'
        f'<h3><span class="badge {verdict}">{verdict}</span> <a class="anchor" href="#{entry["id"]}">{entry["id"]}</a> '
        f'<span class="source">{escape(entry["source"])}</span></h3>'
        f"<p>{typeset(entry['statement'])}</p>"
        f'<p class="grade">{VERDICTS[verdict]}; {escape(entry["grade"])}</p>{facts}{details}</article>'
    )


def papers() -> str:
    """The papers, with authors, years and links."""
    items = "".join(
        f"<li><b>{paper.short}</b>: {escape(paper.authors)}. <i>{escape(paper.title)}</i>, {paper.year}. "
        f'{escape(paper.where)}. <a href="{paper.link}">{paper.link}</a></li>'
        for paper in PAPERS
    )
    return f"<ul>{items}</ul>"


def linked(text: str, ids: set[str]) -> str:
    """The text with every claim's id as a link to its entry."""
    return re.sub(
        r"\b[A-Z]+\d*\w?\b", lambda m: f'<a href="#{m[0]}">{m[0]}</a>' if m[0] in ids else m[0], typeset(text)
    )


def story(ids: set[str]) -> str:
    """Theorem 3.1 in words and formulas."""
    first, second, *rest = (f"<p>{linked(text, ids)}</p>" for text in STORY)
    return f'<h2 id="theorem-3-1">Theorem 3.1</h2>{first}{second}{corrected_theorem()}{"".join(rest)}'


def graded(entry: Entry) -> str:
    """The strongest grade of the statement, and that of its correction."""
    correction = entry["correction"]
    first = entry["grade"].split(",")[0]
    return f"{first}; its correction: {correction['grade'].split(',')[0]}" if correction else first


def overview(entries: list[Entry]) -> str:
    """What every claim says in words, and how much its verdict matters."""
    meanings = table(["", "meaning"], [[name, meaning] for name, meaning in WEIGHTS.items()])
    rows = "".join(
        f'<tr><td><a href="#{entry["id"]}">{entry["id"]}</a></td><td>{escape(SUMMARIES[entry["id"]][0])}</td>'
        f'<td class="{SUMMARIES[entry["id"]][1]}">{SUMMARIES[entry["id"]][1]}</td>'
        f"<td>{escape(graded(entry))}</td></tr>"
        for entry in entries
    )
    head = "<tr><th>claim</th><th>what it says</th><th>weight</th><th>grade</th></tr>"
    return f'<h2 id="overview">Overview</h2>{meanings}<table><thead>{head}</thead><tbody>{rows}</tbody></table>'


def filters() -> str:
    boxes = "".join(
        f'<label title="{meaning}"><input type="checkbox" name="verdict" value="{verdict}" checked> {verdict}</label> '
        for verdict, meaning in VERDICTS.items()
    )
    papers = "".join(
        f'<option value="{x}">{x or "all papers"}</option>' for x in ("", "DRCORL", "Safe-DQL", report.COMPARED)
    )
    return (
        f'<form class="filters">{boxes}<select name="paper" aria-label="paper">{papers}</select>'
        '<input name="words" type="search" placeholder="words" aria-label="words"><output id="shown"></output></form>'
    )


def table(names: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(x)}</td>" for x in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html(entries: list[Entry]) -> str:
    legend = table(["", "meaning"], [[verdict, meaning] for verdict, meaning in VERDICTS.items()])
    topics = "".join(
        f'<section class="topic"><h2>{escape(topic)}</h2>'
        + "".join(article(entry) for entry in entries if entry["topic"] == topic)
        + "</section>"
        for topic in dict.fromkeys(entry["topic"] for entry in entries)
    )
    tables = [prose(part.text) + table(part.header, part.rows) for part in lattice_tables()]
    lattice = f"<h2>Deep learners with exact regret</h2>{''.join(tables)}" if tables else ""
    certified = "".join(
        f"<h2>Runs in ball arithmetic</h2>{prose(x.text)}{table(x.header, x.rows)}" for x in run_tables()
    )
    ids = {entry["id"] for entry in entries}
    style, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("style.css", "filter.js"))
    ratios = (
        "<h2>How tight the true inequalities are</h2><p>Left side over right side: the median over the instances "
        "(thick), the largest ratio (thin), the best ratio that the adversarial search reached (ring). At 1 a bound "
        "is attained.</p>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>What is true in the papers</title><style>{style}</style></head><body>"
        f"<h1>What is true in the papers</h1>{prose(report.INTRODUCTION)}{papers()}"
        f"<p>{escape(report.headline(entries))}</p>{story(ids)}{overview(entries)}"
        f"<h2>Verdicts</h2>{legend}<h2>Grades</h2>{prose(report.GRADES)}"
        f"<h2>What this can and cannot show</h2>{prose(report.LIMITS)}"
        f"{ratios}{chart(entries)}<h2>The claims</h2>{filters()}{topics}{certified}{lattice}"
        f"<h2>How to check everything again</h2><pre>{escape(chr(10).join(x[4:] for x in report.HOW))}</pre>"
        f"<script>{script}</script></body></html>\n"
    )
