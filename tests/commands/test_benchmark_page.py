"""page.html: self-contained, and in a browser the same numbers as `deep.benchmark.statistics`."""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from deep.benchmark import statistics
from deep.benchmark.page import Tab, page
from deep.benchmark.rows import Row

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --virtual-time-budget=10000""".split()
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on this machine")


def some_rows() -> list[Row]:
    """Three methods, two data sets of one task and one of another, three seeds, seeded scores; some are unsafe."""
    rng = np.random.default_rng(0)
    found = []
    places = (("HopperVel", "full", "full"), ("HopperVel", "t", "tempting"), ("BallRun", "s", "stitching"))
    for task, data, kind in places:
        for algorithm in ("bc_all", "bc_safe", "cdt"):
            for seed in range(3):
                for limit in (10.0, 20.0):
                    C = float(rng.gamma(2.0, 0.4))
                    cell = {"task": task, "data": data, "kind": kind, "algorithm": algorithm, "variant": ""}
                    cell |= {"choice": "", "seed": seed, "cost_limit": limit, "R": float(rng.normal(0.5, 0.2)), "C": C}
                    cell |= {"safe": C <= 1, "R_best_in_data": 0.7 if data != "full" else None, "source": "file"}
                    found.append(cell | {"run": f"{data}-{algorithm}", "sha256": "ab" * 32, "command": "a <b> & c"})
    return found


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return some_rows()


def dump(text: str, folder: Path, fragment: str = "") -> str:
    """The document that a page has become in the browser."""
    path = folder / "page.html"
    path.write_text(text)
    command = [str(BROWSER), *FLAGS, "--dump-dom", f"file://{path}{fragment}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def shown(rows, tmp_path_factory) -> Callable[[str], str]:
    """The page's document in the browser, after `#...`."""
    text, folder = page("Test", [Tab("first", rows), Tab("second", rows[:6])]), tmp_path_factory.mktemp("page")
    return lambda fragment: dump(text, folder, fragment)


def cells(document: str, part: str) -> dict[str, dict[str, tuple[float, str, str]]]:
    """The numbers of a table by line and name: value, low, high."""
    (table,) = re.findall(rf'<div id="{part}">(.*?)</table>', document, re.DOTALL)
    found: dict[str, dict[str, tuple[float, str, str]]] = {}
    for line in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]:
        title = re.sub(r"<[^>]*>", "", re.findall(r"<td.*?</td>", line, re.DOTALL)[0])
        found[title] = {}
        for cell in re.findall(r"<td[^>]*data-name[^>]*>", line):
            got = dict(re.findall(r'data-(\w+)="([^"]*)"', cell.replace("&gt;", ">")))
            found[title][got["name"]] = (float(got["value"]), got.get("low", ""), got.get("high", ""))
    return found


def check_methods(document: str, own: Sequence[Row]) -> None:
    """The page's table of methods has the values of `statistics.of_methods`, and intervals near them."""
    found = cells(document, "by-method")
    expected = statistics.of_methods(own)
    assert list(found) == [about["method"] for about in expected]
    for about in expected:
        here = found[about["method"]]
        expected_safe = (about["safe"]["value"], *about["safe"]["interval"])
        assert [float(x) for x in here["safe"]] == pytest.approx(expected_safe, abs=1e-12)
        values = {"iqm": about["R_safe"]["iqm"], "regret": about["regret"]["mean"], "C": about["C"]["mean"]}
        for name, value in values.items():
            if value["value"] is None:
                assert np.isnan(here[name][0])
                continue
            assert here[name][0] == pytest.approx(value["value"]), (about["method"], name)
            assert [float(x) for x in here[name][1:]] == pytest.approx(value["interval"], abs=0.06), name


@needs_browser
def test_the_page_has_the_numbers_of_the_statistics(rows, shown):
    document = shown("")
    check_methods(document, rows)
    assert f"{len(rows)} of {len(rows)} replicas" in document
    found = cells(document, "pairs")
    for pair in statistics.of_pairs(rows):
        value = found[pair["first"]][f"{pair['first']}>{pair['second']}"][0]
        assert value == pytest.approx(pair["probability_first_better"]["value"])
        back = found[pair["second"]][f"{pair['second']}>{pair['first']}"][0]
        assert back == pytest.approx(1 - value)


@needs_browser
@pytest.mark.parametrize(
    ("fragment", "kept"),
    [
        ("#task=BallRun", lambda row: row["task"] == "BallRun"),
        ("#kind=tempting&limit=20", lambda row: row["kind"] == "tempting" and row["cost_limit"] == 20),
        ("#hidden=CDT", lambda row: row["algorithm"] != "cdt"),
    ],
)
def test_the_filters_leave_what_they_say(rows, shown, fragment, kept):
    own = [row for row in rows if kept(row)]
    document = shown(fragment)
    assert f"{len(own)} of {len(rows)} replicas" in document
    check_methods(document, own)


@needs_browser
def test_a_tab_shows_its_own_rows(rows, shown):
    document = shown("#tab=second")
    assert "6 of 6 replicas" in document
    assert list(cells(document, "by-method")) == ["BC-All"]
    check_methods(document, rows[:6])


@needs_browser
def test_where_a_data_set_has_one_seed_there_is_no_interval(rows, tmp_path):
    one = [row for row in rows if row["seed"] == 0 and row["algorithm"] != "cdt"]
    document = dump(page("Test", [Tab("x", [*one, *(row for row in rows if row["data"] == "t")])]), tmp_path)
    found = cells(document, "by-method")
    assert found["BC-All"]["iqm"][1:] == ("", "")
    assert found["CDT"]["iqm"][1] != ""
    assert document.count('<td class="missing">none</td>') == 2, "CDT on two of the data sets"


@needs_browser
def test_what_a_reader_chooses_is_shown_and_kept_in_the_address(rows, tmp_path):
    click = """<script>
        form.elements.limit.value = "20";
        document.querySelector('input[value=BC-Safe]').click();
        document.body.append(location.hash);
    </script>"""
    document = dump(page("Test", [Tab("first", rows)]).replace("</body>", click + "</body>"), tmp_path)
    own = [row for row in rows if row["cost_limit"] == 20 and row["algorithm"] != "bc_safe"]
    check_methods(document, own)
    assert "#limit=20&amp;hidden=BC-Safe" in document


@needs_browser
def test_common_cells_leave_out_what_a_shown_method_lacks(rows, tmp_path):
    part = [row for row in rows if row["algorithm"] != "cdt" or (row["data"] == "t" and row["seed"] < 2)]
    document = dump(page("Test", [Tab("first", part)]), tmp_path, "#common=1")
    check_methods(document, [row for row in rows if row["data"] == "t" and row["seed"] < 2])


def test_nothing_on_the_page_comes_from_elsewhere(rows):
    text = page("Test", [Tab("first", rows)])
    assert not re.search(r'(src|href)="(?!data:,|#)', text)
    outside = text.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xhtml", "")
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttp", outside)
    assert "a <b> & c" not in text, "the text of a row cannot end the element that holds it"
    assert "cannot be compared with published ones" in text
    assert "cannot be compared" not in page("Test", [Tab("x", [row | {"source": "dsrl"} for row in rows])])


def test_a_row_of_an_earlier_table_without_the_newer_columns_is_shown(rows):
    newer = ("kind", "R_best_in_data", "command")
    (tab,) = [Tab("x", [{k: v for k, v in row.items() if k not in newer} for row in rows[:1]]).content()]
    assert tab["listed"] == tab["methods"] == ["BC-All"]
    assert Tab("x", rows[:1], expected=["CDT", "BC-All"]).content()["listed"] == ["BC-All", "CDT"]
    assert (tab["rows"][0]["kind"], tab["rows"][0]["best"], tab["runs"][0]["command"]) == ("unknown", None, "")
