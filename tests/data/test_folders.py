"""Tables of a folder: where an episode goes on in the next file, types that differ, files that stand twice."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.dataset import KEYS
from deep.data.reading import Reading
from tests.support import other_writers as writers
from tests.support.tables import DATA, ENDS, FLAGS, NUMBER, ROWS, STEP, rejected, table
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`


def folder(path: Path, borders: list[int], **columns: np.ndarray) -> Path:
    """Files that stop in front of these rows."""
    place = path / "logs"
    place.mkdir()
    data = ROWS | columns
    for i, rows in enumerate(np.split(np.arange(len(ENDS)), borders)):
        writers.write_csv(place / f"part{i}.csv", {key: values[rows] for key, values in data.items()})
    return place


@pytest.mark.parametrize("columns", [{}, FLAGS, {"t": STEP}, FLAGS | {"t": STEP}])
def test_an_episode_may_go_on_in_the_next_file(columns, tmp_path):
    """Its pieces were trajectories."""
    found = read_any(folder(tmp_path, [20, 40, 60], episode=NUMBER, **columns))
    wanted = read_any(table(tmp_path, episode=NUMBER, **columns))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), getattr(wanted, key), err_msg=key)


def test_a_date_in_whole_seconds_says_little_of_where_an_episode_goes_on(tmp_path):
    """Stamps stand still from one file to the next one; a pause is more than they grow by inside."""
    day = np.datetime64("2026-01-01T00:00:00")
    rows = np.arange(len(ENDS))
    path = folder(tmp_path, [13, 26], episode=NUMBER * 0, timestamp=np.datetime_as_string(day + rows // 10), t=rows)
    for file in path.iterdir():
        file.write_text(file.read_text().replace("'", ""))
    assert len(read_any(path).ends) == 1
    (tmp_path / "a").mkdir()
    paused = day + rows // 3 + NUMBER * 9
    path = folder(tmp_path / "a", list(np.flatnonzero(ENDS)[:-1] + 1), run=NUMBER * 0, timestamp=paused.astype(int))
    assert len(read_any(path, Reading(columns=("episodes=run",))).ends) == 6


def test_a_remark_counts_the_episodes_that_go_on(tmp_path):
    """Numbers that two programs gave join two episodes, and nothing else would show it."""
    path = folder(tmp_path, [20, 40, 60], episode=NUMBER)
    going = sum(int(NUMBER[row] == NUMBER[row - 1]) for row in (20, 40, 60))
    assert going > 1
    note = (
        f"{going} times an episode goes on in the next file, as its episode stands on both sides; --columns episodes="
    )
    assert any(each.startswith(note) for each in read_any(path).remarks)
    (tmp_path / "a").mkdir()
    whole = folder(tmp_path / "a", [int(np.flatnonzero(ENDS)[1]) + 1], episode=NUMBER)
    assert not any("in the next file" in each for each in read_any(whole).remarks)


def test_dones_inside_a_file_without_numbers_need_an_option(tmp_path):
    """Each file is then an episode, and these hold several."""
    path = folder(tmp_path, [20, 40], done=ENDS)
    rejected(
        path, "has done in row .*, inside the file part0.csv: an episode in each file, or a column episode, is acc"
    )
    assert len(read_any(path, Reading(columns=("dones=done",))).ends) == 6


def parquets(path: Path, **columns: list[Any]) -> Path:
    """A file for each episode, of pyarrow's columns by episode."""
    import pyarrow
    from pyarrow import parquet

    for i, episode in enumerate(writers.episodes(DATA)):
        data = {key: list(episode[key]) for key in ("observations", "actions", "rewards", "costs")}
        data = {key: pyarrow.array(values) for key, values in data.items()}
        count = len(episode["rewards"])
        for key, kinds in columns.items():
            data[key] = pyarrow.array(*kinds[i % 2](count))
        parquet.write_table(pyarrow.table(data), path / f"part{i}.parquet")
    return path


def test_types_may_differ_between_files(tmp_path):
    """A column that is not read may be anything; this ended in a traceback."""
    import pyarrow

    def numbers(kind: Any) -> Any:
        return lambda n: ([[0.5, 1.5]] * n, kind)

    (tmp_path / "a").mkdir()
    unread = [lambda n: ([{"a": 1}] * n,), lambda n: ([{"a": 1, "b": 2}] * n,)]
    empty = [lambda n: ([None] * n,), lambda n: ([[1.0]] * n,)]
    lists = [numbers(pyarrow.list_(pyarrow.float32())), numbers(pyarrow.list_(pyarrow.float64()))]
    path = parquets(tmp_path / "a", info=unread, note=empty, observations=lists)
    found = read_any(path)
    assert len(found.ends) == 6
    np.testing.assert_array_equal(found.observations[-1], [0.5, 1.5])
    (tmp_path / "b").mkdir()
    path = parquets(tmp_path / "b", costs=unread)
    rejected(path, "has costs of type struct.* in part0.parquet and struct.* in part1.parquet: one type in all files")


def test_files_that_all_count_from_one_number_need_steps(tmp_path):
    borders = np.flatnonzero(ENDS)[:-1] + 1
    zero = np.zeros_like(NUMBER)
    path = folder(tmp_path, list(borders), episode=zero)
    rejected(path, "has episode 0 at the end of part0.csv and at the start of part1.csv: a column step, .*episodes=")
    assert len(read_any(path, Reading(columns=("episodes=",))).ends) == 6
    (tmp_path / "a").mkdir()
    assert len(read_any(folder(tmp_path / "a", list(borders), episode=zero, t=STEP)).ends) == 6
    (tmp_path / "b").mkdir()
    assert len(read_any(folder(tmp_path / "b", list(borders), episode=zero, **FLAGS)).ends) == 6
    (tmp_path / "c").mkdir()
    assert len(read_any(folder(tmp_path / "c", [20, 40], episode=zero, t=np.arange(len(ENDS)))).ends) == 1


def test_a_column_of_another_name_numbers_the_episodes_of_a_folder(tmp_path):
    path = folder(tmp_path, [20, 40, 60], run=NUMBER)
    assert len(read_any(path, Reading(columns=("episodes=run",))).ends) == 6
    rejected(path, "has no array runs", "episodes=runs")
    (tmp_path / "a").mkdir()  # from 0 on in each file
    path = folder(tmp_path / "a", [int(np.flatnonzero(NUMBER == 3)[0])], run=NUMBER % 3)
    assert len(read_any(path, Reading(columns=("episodes=run",))).ends) == 6


def test_a_folder_holds_each_file_once(tmp_path):
    """Whatever program has written the copy."""
    from pyarrow import csv, parquet

    path = folder(tmp_path, [20, 40], episode=NUMBER)
    text = (path / "part1.csv").read_text()
    for again in (text, text.replace(",", ";"), text.replace("\n", "\r\n")):
        (path / "part1 (1).csv").write_text(again, newline="")
        rejected(path, r"has part1 \(1\).csv and part1.csv, of the same rows: a folder with one of the two")
    (path / "part1 (1).csv").unlink()
    parquet.write_table(csv.read_csv(path / "part1.csv"), path / "copy.parquet")
    rejected(path, "has copy.parquet and part1.csv, of the same rows: a folder with one of the two")
    (path / "copy.parquet").unlink()
    (path / "part1.tsv").write_text(text.replace(",", "\t"))
    rejected(path, r"has part1.(csv|tsv) and part1.(csv|tsv), of one name in two formats: a folder with one")


UNITS = ": check that all files have the same units, such as m or mm"


@pytest.mark.parametrize(
    ("column", "scale", "sentence"),
    [
        (
            "observations_1",
            1000,
            "the column observations_1 is about 1000 times as large in part2.csv",
        ),
        ("actions_0", 0.001, "the column actions_0 is about 1000 times as small in part2.csv"),
        ("time", 1000, "the step of time from row to row is about 1000 times as large in part2.csv"),
        ("observations_1", 30, None),
    ],
)
def test_a_file_in_other_units_is_remarked_on(column, scale, sentence, tmp_path):
    path = folder(tmp_path, list(np.flatnonzero(ENDS)[:-1] + 1), time=np.arange(len(ENDS)) + STEP / 20)
    lines = [line.split(",") for line in (path / "part2.csv").read_text().splitlines()]
    for row in lines[1:]:
        row[lines[0].index(column)] = repr(float(row[lines[0].index(column)]) * scale)
    (path / "part2.csv").write_text("\n".join(map(",".join, lines)) + "\n")
    found = [each for each in read_any(path).remarks if each.endswith(UNITS)]
    assert found == ([f"{sentence} as in the others{UNITS}"] if sentence else [])


def test_tables_below_a_folder_are_remarked_on(tmp_path):
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    before = read_any(path).remarks
    (path / "more").mkdir()
    (path / "more" / "part9.csv").write_text("a")
    (path / "part4.csv.gz").write_bytes(b"")
    (path / "notes.txt").write_text("of no use")
    remark = "2 more tables of the folder are not read, such as more/part9.csv"
    assert set(read_any(path).remarks) - set(before) == {remark}


def test_a_link_that_leads_to_nothing_is_named(tmp_path):
    """The file that it led to held episodes. The data lacked these without a word."""
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    (path / "more.csv").symlink_to(tmp_path / "gone")
    rejected(path, "logs has more.csv, a link that leads to nothing: a folder without it is accepted")


def test_a_link_of_another_name_that_leads_to_nothing_is_remarked_on(tmp_path):
    """It may have led to a folder of tables, or to anything else."""
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    before = read_any(path).remarks
    (path / "latest").symlink_to(tmp_path / "gone")
    remark = "latest is a link that leads to nothing: no data were read there"
    assert set(read_any(path).remarks) - set(before) == {remark}


@pytest.mark.parametrize("there", [".", ".."])
def test_a_link_to_the_folder_itself_or_above_it_is_no_further_table(there, tmp_path):
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    (tmp_path / "base.hdf5").write_bytes(b"")
    before = read_any(path).remarks
    (path / "loop").symlink_to(there)
    assert read_any(path).remarks == before


def test_what_is_neither_a_file_nor_a_folder_is_named(tmp_path):
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    os.mkfifo(path / "part3.csv")
    rejected(path, "logs has part3.csv, which is neither a file nor a folder: a folder without it is accepted")


@pytest.mark.parametrize(
    "name",
    ["run.hdf5", "run.h5", "run.npz", "part3.csv.part", "part3.CSV.GZ", "part3.parquet.tmp", "part3.csv.123.tmp"],
)
def test_what_lies_beside_the_tables_of_a_folder_is_remarked_on(name, tmp_path):
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    before = read_any(path).remarks
    (path / name).write_bytes(b"")
    (path / "notes.tmp").write_text("of no use")
    (path / "part1.csv.md").write_text("of no use")
    assert set(read_any(path).remarks) - set(before) == {f"1 more tables of the folder are not read, such as {name}"}


def test_tables_behind_a_link_to_a_folder_are_remarked_on(tmp_path):
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    before = read_any(path).remarks
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "part3.csv").write_text("a")
    (path / "more").symlink_to(tmp_path / "elsewhere")
    remark = "1 more tables of the folder are not read, such as more/part3.csv"
    assert set(read_any(path).remarks) - set(before) == {remark}


def test_tables_far_behind_links_count_once(tmp_path):
    """They were looked for one level deep, and a folder inside that a link leads to as well counted twice."""
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    before = read_any(path).remarks
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "part3.csv").write_text("a")
    (tmp_path / "elsewhere" / "deep" / "part5.csv").write_text("a")
    (tmp_path / "elsewhere" / "back").symlink_to(path)
    (path / "inside").mkdir()
    (path / "inside" / "part4.csv").write_text("a")
    (path / "more").symlink_to(tmp_path / "elsewhere")
    (path / "again").symlink_to(path / "inside")
    (tmp_path / "elsewhere" / "deep" / "again").symlink_to(path / "inside")
    remark = "3 more tables of the folder are not read, such as inside/part4.csv"
    assert set(read_any(path).remarks) - set(before) == {remark}


def test_a_superscript_in_a_files_name_is_no_number(tmp_path):
    """This ended in a traceback."""
    path = folder(tmp_path, [20, 40], episode=NUMBER)
    wanted = read_any(path)
    (path / "part2.csv").rename(path / "²1.csv")
    np.testing.assert_array_equal(read_any(path).rewards, wanted.rewards)


# A file for each episode

PLAIN = ("observations", "actions", "rewards", "costs", "next_observations")


def files(path: Path, suffix: str = ".csv", flags: bool = False) -> Path:
    (path / "logs").mkdir()
    keys = (*PLAIN, "terminals", "timeouts") if flags else PLAIN
    for i, whole in enumerate(writers.episodes(DATA)):
        episode = {key: whole[key] for key in keys}
        # run_9 comes before run_10
        file = path / "logs" / f"run_{i + 7}{suffix}"
        writers.write_csv(file, episode) if suffix == ".csv" else writers.write_parquet(file, episode)
    (path / "logs" / "notes.txt").write_text("of no use")
    (path / "logs" / "._run_7.csv").write_text("of the system")
    return path / "logs"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("flags", [True, False])
def test_a_folder_has_a_file_for_each_episode(suffix, flags, tmp_path):
    found = read_any(files(tmp_path, suffix, flags))
    for key in KEYS if flags else PLAIN:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], err_msg=key)
    np.testing.assert_array_equal(found.terminals | found.timeouts, ENDS)
    assert len(found.remarks) == (not flags)


def test_a_file_of_a_folder_may_number_episodes_itself(tmp_path):
    """From 0 on in each."""
    place = files(tmp_path)
    for file in place.glob("*.csv"):
        file.unlink()
    for i, rows in enumerate((NUMBER < 3, NUMBER >= 3)):
        data = {key: DATA[key][rows] for key in PLAIN} | {"episode": NUMBER[rows] % 3}
        writers.write_csv(place / f"{i}.csv", data)
    np.testing.assert_array_equal(read_any(place).ends, np.flatnonzero(ENDS))


def test_files_of_one_folder_that_do_not_fit_are_named(tmp_path):
    place = files(tmp_path)
    data = {key: DATA[key] for key in PLAIN if key != "costs"}
    writers.write_csv(place / "run_9.csv", data)
    with pytest.raises(
        InputError, match=r"logs has costs in run_7.csv, and not in run_9.csv: files with the same columns"
    ):
        read_any(place)
    (place / "run_9.csv").write_text("")
    with pytest.raises(InputError, match=r"logs/run_9.csv cannot be read"):
        read_any(place)


def test_a_change_of_one_file_is_another_data_set(tmp_path):
    place = files(tmp_path)
    first = read_any(place).sha256
    (place / "run_9.csv").write_text((place / "run_9.csv").read_text() + "\n")
    assert read_any(place).sha256 != first
