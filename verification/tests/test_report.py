"""The report: current, complete, self-contained, and in a real browser where there is one."""

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from verification.judging import LEDGER, load
from verification.report import entries as report
from verification.report import lattice as report_lattice
from verification.report.__main__ import HERE
from verification.report.html import html
from verification.report.overview import PAPERS, SUMMARIES, WEIGHTS
from verification.report.runs import tables as run_tables
from verification.report.typeset import corrected_theorem, typeset

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
DRIVER = shutil.which("chromedriver")
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --window-size=1100,900""".split()


def test_the_committed_reports_are_those_of_the_ledger() -> None:
    entries = load(LEDGER)
    for name, text in (("report.md", report.markdown(entries)), ("report.html", html(entries))):
        assert (HERE / name).read_text(encoding="utf-8") == text, "run python -m verification.report"


def test_every_claim_and_counterexample_is_written_out() -> None:
    entries = load(LEDGER)
    for text in (report.markdown(entries), html(entries)):
        for entry in entries:
            assert entry["id"] in text
            for name in entry["evidence"]["certificates"]:
                assert f"verification/certificates/{name}.json" in text
    changed = [{**entry, "verdict": "H"} for entry in entries]
    assert report.markdown(changed) != report.markdown(entries)


def test_nothing_on_the_page_comes_from_elsewhere() -> None:
    page = html(load(LEDGER))
    for paper in PAPERS:  # a link that the reader may follow loads nothing
        page = page.replace(f'<a href="{paper.link}">{paper.link}</a>', "")
    assert not re.search(r'(src|href)="(?!data:,|#)', page)
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttp", page)


def test_every_claim_has_its_place_and_every_link_leads_to_one() -> None:
    entries = load(LEDGER)
    page = html(entries)
    targets = re.findall(r'id="([^"]+)"', page)
    assert len(targets) == len(set(targets))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(targets)
    assert {entry["id"] for entry in entries} <= set(re.findall(r'href="#([^"]+)"', page))
    assert page.index("theorem-3-1") < page.index("<article"), "the story comes first"


def test_the_overview_has_every_claim_and_agrees_with_the_verdicts() -> None:
    entries = load(LEDGER)
    assert set(SUMMARIES) == {entry["id"] for entry in entries}
    for entry in entries:
        weight = SUMMARIES[entry["id"]][1]
        assert weight in WEIGHTS
        assert (weight == "holds") == (entry["verdict"] == "H"), entry["id"]


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ("V_r* - V_r^t <= 0", "<i>V</i><sub>r</sub><sup>∗</sup> − <i>V</i><sub>r</sub><sup>t</sup> ≤ 0"),  # noqa: RUF001
        ("(1-gamma)^4", "(1−γ)<sup>4</sup>"),  # noqa: RUF001
        ("sqrt(2 eps_dist)", "√(2 <i>ε</i><sub>dist</sub>)"),
        ("x_t+y_t", "<i>x</i><sub>t</sub>+<i>y</i><sub>t</sub>"),
        ("h+ >= R/T", "h<sup>+</sup> ≥ R/T"),
        ("2 sqrt(2) times", "2 √2 times"),
        ("(1-gamma)^{3/2}", "(1−γ)<sup>3/2</sup>"),  # noqa: RUF001
        ("by `SA_needed` (no K)", "by <code>SA_needed</code> (no K)"),
        ("theory.npg.safe_dql, a < b", "<code>theory.npg.safe_dql</code>, a &lt; b"),
        ("no formula in a word such as alphabet or eta-like", "no formula in a word such as alphabet or η-like"),
    ],
)
def test_formulas_are_typeset(plain: str, shown: str) -> None:
    assert typeset(plain) == shown


def test_the_displayed_theorem_is_well_formed_mathml() -> None:
    tree = ElementTree.fromstring(f"<div>{corrected_theorem()}</div>")
    assert [child.tag for child in tree] == ["math", "math"]
    assert {child.tag for child in tree.iter()} <= {
        *("div", "math", "mrow", "mi", "mn", "mo", "mtext", "msub", "msup", "mfrac", "msqrt", "mspace")
    }


def test_certified_runs_are_on_the_page() -> None:
    (found,) = run_tables()
    assert len(found.rows) >= 20
    assert {row[found.header.index("certified")] for row in found.rows} == {"yes"}


def test_the_lattice_section_summarises_its_results(tmp_path: Path) -> None:
    terms = {"J_c": 3, "kappa": 2, "eps_c": 0.5, "reference_hinge": 0.25, "reference_cloning": 6, "penalty": 4}
    terms |= {"eta": 0.1, "B_r": 20, "suboptimality": 0.4, "shift": 30, "bound": 35.35}
    row = {"task": "speed", "cost_limit": 2.0, "optimal_value": 9.0, "slack_tight": 7.0}
    rows = [
        row | {"method": "DRCORL", "gap": gap, "violation": over} for gap, over in ((1.0, 0.0), (4.0, 2.5), (2.0, 0.0))
    ]
    rows.append(row | {"method": "Safe-DQL", "gap": 1, "violation": 0} | {f"theorem9_{k}": v for k, v in terms.items()})
    (tmp_path / "results.json").write_text(json.dumps({"results": rows}))
    scores, theorem = report_lattice.tables(tmp_path / "results.json")
    assert scores.rows[0] == ["speed", "2", "9.00", "DRCORL", "2/3", "2.00", "2.50", "7"]
    numbers = ["3.00", "2.00", "0.50", "0.25", "1.50", "1.00", "0.10", "30.00", "35.35"]
    assert theorem.rows == [["speed", "2", *numbers]]
    assert sum(map(float, numbers[1:-1])) == pytest.approx(35.35)
    assert report_lattice.tables(tmp_path / "none.json") == []


def test_the_terms_of_theorem_9_add_up_to_its_bound_in_the_committed_results() -> None:
    rows = json.loads(report_lattice.RESULTS.read_text())["results"]
    safe_dql = [row for row in rows if "theorem9_bound" in row]
    assert safe_dql
    for row in safe_dql:
        cost, *terms, bound = (term(row) for term in report_lattice.TERMS.values())
        assert sum(terms) == pytest.approx(bound)
        assert cost <= bound


def requests(driver: Any) -> list[str]:
    """The requests of pages from files since the last call; the browser's own start page does not count."""
    log = [json.loads(line["message"])["message"] for line in driver.get_log("performance")]
    sent = [x["params"] for x in log if x["method"] == "Network.requestWillBeSent"]
    return [x["request"]["url"] for x in sent if x["documentURL"].startswith("file:")]


@pytest.mark.skipif(
    not (BROWSER and DRIVER and importlib.util.find_spec("selenium")),
    reason="needs selenium, and chromium with its chromedriver",
)
def test_in_a_browser_it_renders_filters_and_asks_for_nothing(tmp_path: Path) -> None:
    from selenium import webdriver  # pyright: ignore[reportMissingImports]
    from selenium.webdriver.common.by import By  # pyright: ignore[reportMissingImports]
    from selenium.webdriver.support.ui import Select  # pyright: ignore[reportMissingImports]

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        driver.get((HERE / "report.html").as_uri())
        entries = load(LEDGER)

        def shown() -> int:
            return sum(x.is_displayed() for x in driver.find_elements(By.TAG_NAME, "article"))

        assert shown() == len(entries)
        assert driver.find_element(By.CSS_SELECTOR, "svg circle").is_displayed()
        driver.find_element(By.CSS_SELECTOR, "input[value=F]").click()
        assert shown() == sum(entry["verdict"] != "F" for entry in entries)
        Select(driver.find_element(By.NAME, "paper")).select_by_value("Safe-DQL")
        assert shown() == sum(entry["verdict"] != "F" and report.paper(entry) == "Safe-DQL" for entry in entries)
        driver.find_element(By.NAME, "words").send_keys("no such word")
        assert shown() == 0
        assert driver.find_element(By.ID, "shown").text == f"0 of {len(entries)} claims"
        assert {url.split(":")[0] for url in requests(driver)} <= {"file", "data"}
        assert [line for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []
        leaking = tmp_path / "leaking.html"
        leaking.write_text('<img src="http://127.0.0.1:9/x.png">')
        driver.get(leaking.as_uri())
        assert "http://127.0.0.1:9/x.png" in requests(driver), "negative control"
    finally:
        driver.quit()
