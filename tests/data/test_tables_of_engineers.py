"""Tables as spreadsheets, simulators and scripts of engineers write them: separators, decimal commas, a column for each
quantity."""

import re

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.custom import DISCRETE
from deep.data.dataset import KEYS
from deep.data.reading import Reading
from tests.support import other_writers as writers
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()
OBSERVATIONS, ACTIONS = ("pos", "vel", "temp"), ("torque", "brake")
COLUMNS = ("observations=pos,vel,temp", "actions=torque,brake", "next_observations=p2,v2,t2")
NAMED = Reading(columns=COLUMNS)
HEADER = [*OBSERVATIONS, "p2", "v2", "t2", *ACTIONS, "reward", "cost", "terminated", "truncated"]


def cells(comma: bool = False) -> list[list[str]]:
    """The recording with a name for each quantity."""
    columns = np.column_stack([DATA[key] for key in ("observations", "next_observations", "actions", "rewards")])
    rows = [[repr(float(x)) for x in row] for row in columns]
    flags = zip(DATA["costs"], DATA["terminals"], DATA["timeouts"], strict=True)
    rows = [
        [*row, repr(float(cost)), str(end).upper(), str(out).upper()]
        for row, (cost, end, out) in zip(rows, flags, strict=True)
    ]
    return [[cell.replace(".", ",") if comma else cell for cell in row] for row in rows]


def lines(separator: str, comma: bool = False, header: list[str] = HEADER) -> str:
    return "\n".join(map(separator.join, [header, *cells(comma)])) + "\n"


def mistyped(text: str, old: str, new: str) -> str:
    """The text with another decimal mark in the second column of row 3."""
    rows = [line.split(";") for line in text.splitlines()]
    rows[4][1] = rows[4][1].removeprefix("-").replace(old, new)
    return "\n".join(map(";".join, rows)) + "\n"


FILES = {
    "commas": ("a.csv", lines(","), "utf8"),
    "semicolons, decimal points": ("a.csv", lines(";"), "utf8"),
    "semicolons, decimal commas": ("a.csv", lines(";", True), "utf8"),
    "tabs": ("a.tsv", lines("\t"), "utf8"),
    "tabs in a .csv": ("a.csv", lines("\t"), "utf8"),
    "a mark of the byte order": ("a.csv", lines(";", True), "utf-8-sig"),
    "UTF-16": ("a.csv", lines("\t"), "utf-16"),
    "a line for Excel": ("a.csv", "sep=;\n" + lines(";", True), "utf8"),
    "a comment's mark, and spaces": ("a.csv", "# " + lines(",").replace(",", ", "), "utf8"),
    "carriage returns": ("a.csv", lines(";", True).replace("\n", "\r\n"), "utf8"),
    "empty columns at the end": ("a.csv", lines(";", True).replace("\n", ";;\n"), "utf8"),
    "names in capitals": ("a.csv", lines(",", header=[*HEADER[:8], "Reward", "COST", "Terminal", "Timeout"]), "utf8"),
}


@pytest.mark.parametrize(("name", "text", "encoding"), FILES.values(), ids=FILES)
def test_separators_decimal_commas_and_encodings_are_seen(name, text, encoding, tmp_path):
    (tmp_path / name).write_bytes(text.encode(encoding))
    found = read_any(tmp_path / name, NAMED)
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], err_msg=key, strict=True)


def test_names_in_the_code_page_of_windows_are_read(tmp_path):
    header = [*HEADER[:2], "temp in °C", *HEADER[3:]]
    (tmp_path / "a.csv").write_bytes(lines(";", True, header).encode("cp1252"))
    columns = ("observations=pos,vel,temp in °C", *COLUMNS[1:])
    np.testing.assert_array_equal(
        read_any(tmp_path / "a.csv", Reading(columns=columns)).observations, DATA["observations"]
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (lines(";", header=["pos,x", *HEADER[1:]]), "has commas and semicolons in its first line, 'pos,x;vel"),
        (lines("\t", header=["pos;x", *HEADER[1:]]), "has semicolons and tabs in its first line"),
        ("sep=|\n" + lines("|"), r"has the separator '\|': commas, semicolons and tabs are accepted"),
        (lines(",").split("\n", 1)[1], "has numbers in its first line, '"),
        (lines(";", True).split("\n", 1)[1], "has numbers in its first line, '"),
        ("1.5,-2,3e-4\n1,2,3\n", "has numbers in its first line, '1.5,-2,3e-4': a first line with the names"),
        (mistyped(lines(";", True), ",", "."), "has decimal commas in pos and decimal points in vel: one of both"),
        (mistyped(lines(";"), ".", ","), "has decimal commas in vel and decimal points in pos: one of both"),
        (mistyped(lines(";", True), ",", "x"), "has '0x[0-9]*' in row 3 of vel: a number in each is accepted"),
        ("pos;vel\n1,5;1.5\n2,5;2.5\n", "has decimal commas in pos and decimal points in vel: one of both is accepted"),
        (lines("\t", True), "has '[^']*,[^']*' in row 0 of pos.*: a number in each is accepted"),
        ("", r"cannot be read \(Empty CSV file\)"),
    ],
)
def test_what_is_ambiguous_is_rejected(text, sentence, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=sentence) as error:
        read_any(tmp_path / "a.csv", NAMED)
    assert "\n" not in str(error.value)


def test_numbered_names_of_an_array_are_names(tmp_path):
    """pandas writes them, after an index without a name."""
    rows = [",".join([str(i), *row]) for i, row in enumerate(cells())]
    (tmp_path / "a.csv").write_text("\n".join(["," + ",".join(map(str, range(12))), *rows]) + "\n")
    columns = ("observations=0,1,2", "next_observations=3,4,5", "actions=6,7", "rewards=8", "costs=9")
    found = read_any(tmp_path / "a.csv", Reading(columns=(*columns, "terminals=10", "timeouts=11")))
    np.testing.assert_array_equal(found.actions, DATA["actions"])


# Joined arrays


PIECES = {"pos": DATA["observations"][:, 0], "rest": DATA["observations"][:, 1:]}
JOINED = Reading(columns=("observations=pos,rest",))


@pytest.mark.parametrize("form", ["hdf5", "npz", "parquet", "d3rlpy"])
def test_arrays_of_any_format_can_be_joined(form, tmp_path):
    data = {key: values for key, values in DATA.items() if key != "observations"} | PIECES
    path, reading = tmp_path / f"a.{form}", JOINED
    if form == "hdf5":
        with h5py.File(path, "w") as file:
            for key, values in data.items():
                file[f"log/{key}" if key in PIECES else key] = values
        reading = Reading(columns=("observations=log/pos, log/rest",))
    elif form == "npz":
        np.savez(path, **data)  # pyright: ignore[reportArgumentType]  (its stub takes them for an option)
    elif form == "parquet":
        writers.write_parquet(path, data)
    else:
        path = writers.write_d3rlpy(tmp_path / "a.h5", DATA)
        with h5py.File(path, "r+") as file:
            for i, episode in enumerate(writers.episodes(DATA)):
                file[f"pos_{i}"], file[f"rest_{i}"] = episode["observations"][:, 0], episode["observations"][:, 1:]
        reading = Reading(JOINED.columns, cost_function="tests.support.other_writers:cost")
    wanted = DATA["observations"]
    if form == "d3rlpy":
        wanted = read_any(path, Reading(cost_function=reading.cost_function)).observations
    np.testing.assert_array_equal(read_any(path, reading).observations, wanted)


@pytest.mark.parametrize("form", ["hdf5", "arrow"])
def test_what_minari_records_besides_can_be_joined(form, tmp_path):
    """Its infos have an entry of the reset, as the observations have."""
    path = writers.write_minari(tmp_path, DATA, form=form)
    found = read_any(path, Reading(columns=("observations=observations,infos/cost",)))
    before = [np.append(0, episode["costs"][:-1]) for episode in writers.episodes(DATA)]
    np.testing.assert_array_equal(found.observations[:, :3], DATA["observations"])
    np.testing.assert_array_equal(found.observations[:, 3], np.concatenate(before))
    with pytest.raises(InputError, match=r"has no array observation or infos/costs: .*--columns observations=obs"):
        read_any(path, Reading(columns=("observations=observation,infos/costs",)))


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ((), "has no array observations or actions: .*pos .67. float64.*; --columns observations=NAMES actions=NAMES "
             "may serve, with NAMES of columns joined by commas, such as pos,vel$"),
        (COLUMNS[:1], "no array actions: .*; --columns actions=NAMES observations=pos,vel,temp may serve, with NAMES "
                            "of columns joined by commas, such as p2,v2$"),
        (("observations=pos,vell,temp",), "no array vell or actions: .*observations=pos,vel,temp may serve"),
        (("observations=pos,pos",), "--columns observations=pos,pos: KEY=NAME"),
        (("observations=pos,",), "--columns observations=pos,: KEY=NAME.*KEY=NAME,NAME to join"),
        ((*COLUMNS, "costs=cost,reward"), "has cost,reward for costs: .* the parameters cost and reward"),
        ((*COLUMNS[:1], "actions=torque,note"), "has 'fine' in row 0 of note: a number in each is accepted"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_joined_are_rejected(columns, sentence, tmp_path):
    text = lines(",").replace("\n", ",fine\n").replace("truncated,fine", "truncated,note")
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_any(tmp_path / "a.csv", Reading(columns=columns))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.arange(67).astype("datetime64[s]"), "has time of type datetime64.*: numbers of at most 64 bits"),
        (np.full(67, 2**24 + 1), "has 16777217 in row 0 of time: whole numbers that float32 holds"),
    ],
)
def test_a_part_that_float32_does_not_hold_is_named(values, sentence, tmp_path):
    np.savez(tmp_path / "a.npz", **PIECES, time=values, **DATA)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=sentence):
        read_any(tmp_path / "a.npz", Reading(columns=("observations=pos,time",)))


def test_a_proposal_can_be_copied_into_a_shell(tmp_path):
    (tmp_path / "a.csv").write_text(lines(",", header=["Pos (m)", *HEADER[1:]]))
    with pytest.raises(InputError, match=re.escape("'observations=Pos (m),vel' may serve")):
        read_any(tmp_path / "a.csv", Reading(columns=("observations=pos (m),vel", "actions=torque,brake")))


@pytest.mark.parametrize("key", ["observations", "next_observations", "actions"])
def test_a_vector_may_be_one_number(key, tmp_path):
    data = dict(DATA)
    for each in ("observations", "next_observations"):
        data[each] = data[each][:, :1]
    data["actions"] = data["actions"][:, :1]
    flat = data | {key: data[key][:, 0]}
    np.savez(tmp_path / "a.npz", **flat)  # pyright: ignore[reportArgumentType]  (as above)
    for each in KEYS:
        np.testing.assert_array_equal(getattr(read_any(tmp_path / "a.npz"), each), data[each], strict=True)


def test_two_columns_of_one_meaning_are_not_chosen_from(tmp_path):
    header = [*HEADER[:8], "reward", "Reward", *HEADER[10:]]
    (tmp_path / "a.csv").write_text(lines(",", header=header))
    with pytest.raises(InputError, match="has reward and Reward, and either may be rewards: "):
        read_any(tmp_path / "a.csv", NAMED)


# What is said


def test_discrete_actions_are_remarked_on(tmp_path):
    def remarks(actions: np.ndarray) -> tuple[str, ...]:
        np.savez(tmp_path / "a.npz", **DATA | {"actions": actions})  # pyright: ignore[reportArgumentType]
        return read_any(tmp_path / "a.npz").remarks

    assert remarks(np.arange(67) % 3) == (DISCRETE,)
    assert remarks(np.arange(67)[:, None] % 2 == 1) == (DISCRETE,)
    for actions in (np.arange(67) % 3 - 1, np.arange(67) % 3 / 2, np.zeros(67), DATA["actions"] > 0):
        assert remarks(np.asarray(actions)) == ()


def test_true_and_false_of_a_spreadsheet_in_another_language(tmp_path):
    text = lines(";", True).replace("TRUE", "WAHR").replace("FALSE", "FALSCH")
    (tmp_path / "a.csv").write_text(text)
    np.testing.assert_array_equal(read_any(tmp_path / "a.csv", NAMED).terminals, DATA["terminals"])


@pytest.mark.parametrize("name", ["constraint_violation", "is_constraint", "num_violations"])
def test_a_name_that_says_cost_in_another_word_is_proposed(name, tmp_path):
    data = {name if key == "costs" else key: values for key, values in DATA.items()}
    with pytest.raises(InputError, match=f"--columns costs={name} or --cost-function"):
        read_any(writers.write_csv(tmp_path / "a.csv", data))


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"observations": np.array([[1], [1, 2]], dtype=object)}, "cannot be read .*; deep.save_episodes writes lists"),
        (
            {key: values[None] for key, values in DATA.items()},
            r"has observations of shape \(1, 67, 3\): .*; deep.save_episodes writes",
        ),
    ],
)
def test_episodes_in_arrays_are_sent_to_the_writer(arrays, sentence, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=sentence):
        read_any(tmp_path / "a.npz")


@pytest.mark.parametrize("first", [lines("|").split("\n")[0], lines(" ").split("\n")[0], "# logged by a rig", "run 3"])
def test_a_first_line_without_a_separator_is_shown(first, tmp_path):
    """Its one column was proposed for the costs, or an error of the parser was passed on."""
    (tmp_path / "a.csv").write_text(first + "\n" + "\n".join(lines("|").split("\n")[1:]))
    accepted = "a first line with the names of the columns, between commas, semicolons or tabs, is accepted"
    with pytest.raises(
        InputError, match=f"has one column by its first line, {re.escape(repr(first))[:80]}.*: {accepted}"
    ):
        read_any(tmp_path / "a.csv", NAMED)


@pytest.mark.parametrize("place", [1, 30])
def test_a_line_of_a_comment_is_named(place, tmp_path):
    rows = lines(",").splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*rows[:place], "# lap 2", *rows[place:], ""]))
    sentence = f"has 1 cell in line {place + 1}, '# lap 2', and 12 in its first line: .*no titles or comments$"
    with pytest.raises(InputError, match=sentence):
        read_any(tmp_path / "a.csv", NAMED)
