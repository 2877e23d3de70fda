"""What a file holds beside the arrays that are read: other costs, and other recordings."""

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.reading import AS_IT_IS, Reading
from tests.support import other_writers as writers
from tests.support.tables import DATA, ENDS, FLAGS, ROWS
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
COSTS = DATA["costs"]
FREE = DATA | {"costs": np.zeros_like(COSTS)}


def csv(path, **others):
    return writers.write_csv(path / "a.csv", ROWS | FLAGS | {"costs": FREE["costs"]} | others)


def npz(path, **others):
    return writers.write_npz(path / "a.npz", FREE | others)


def hdf5(path, **others):
    return writers.write_hdf5(path / "a.hdf5", FREE | others)


def omnisafe(path, **others):
    file = writers.write_omnisafe(path / "a.npz", FREE)
    np.savez(file, **{**np.load(file), **others})
    return file


WRITERS = {"csv": csv, "npz": npz, "hdf5": hdf5, "omnisafe": omnisafe}
each_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def said(path, reading: Reading = AS_IT_IS) -> list[str]:
    return [each for each in read_any(path, reading).remarks if " not read" in each]


@each_writer
@pytest.mark.parametrize("other", ["infos/cost", "info/costs", "cost_"])
def test_a_second_array_of_the_name_cost_is_rejected_where_its_numbers_differ(write, other, tmp_path):
    """Costs of 0 were read beside it."""
    with pytest.raises(InputError, match=f"has costs? and {other}, and either may be costs: ") as error:
        read_any(write(tmp_path, **{other: COSTS}))
    assert "\n" not in str(error.value)
    found = read_any(write(tmp_path, **{other: COSTS}), Reading((f"costs={other}",)))
    assert found.costs.sum() > 0
    assert said(write(tmp_path, **{other: COSTS}), Reading((f"costs={other}",))) == []


@each_writer
def test_a_tenth_of_the_costs_is_another_number(write, tmp_path):
    with pytest.raises(InputError, match="either may be costs"):
        read_any(write(tmp_path, costs=COSTS * 0.1, cost=COSTS * 0.1, **{"infos/cost": COSTS}))


@each_writer
def test_the_same_costs_twice_are_accepted(write, tmp_path):
    """`cost` beside `costs` was rejected whatever it held."""
    same = {"infos/cost": COSTS.astype(np.float64)[:, None], "cost_copy": COSTS}
    same = {key: values if write is not csv else values.ravel() for key, values in same.items()}
    assert said(write(tmp_path, costs=COSTS, cost=COSTS, **same)) == []


@each_writer
def test_costs_that_are_rounded_are_the_same(write, tmp_path):
    """Of float16, a cost of 1e-8 is 0, and others keep three digits."""
    costs = np.where(COSTS > 0, COSTS / 3, 1e-8).astype(np.float32)
    assert said(write(tmp_path, costs=costs, cost=costs.astype(np.float16).astype(np.float32))) == []


def test_small_costs_beside_large_ones_are_costs(tmp_path):
    costs = np.where(COSTS > 0, 1, 0.01).astype(np.float32)
    with pytest.raises(InputError, match="either may be costs"):
        read_any(hdf5(tmp_path, costs=costs, cost=np.where(COSTS > 0, 1, 0).astype(np.float32)))


@each_writer
@pytest.mark.parametrize("other", ["info_cost", "cost_hazards", "violation", "is_unsafe", "total_cost"])
def test_an_array_that_by_its_name_holds_other_costs_is_remarked_on(write, other, tmp_path):
    (remark,) = said(write(tmp_path, **{other: COSTS}))
    assert remark.startswith(f"{other} differs from the costs in cost")
    assert said(write(tmp_path, **{other: COSTS}), Reading((f"costs={other}",))) == []


def test_sums_so_far_and_parts_of_the_costs_are_no_others(tmp_path):
    bounds = np.flatnonzero(ENDS)[:-1] + 1
    so_far = np.concatenate([np.cumsum(part) for part in np.split(COSTS, bounds)])
    first = np.arange(len(COSTS)) % 2
    parts = {"cost_hazards": COSTS * first, "cost_vases": COSTS * (1 - first)}
    assert said(hdf5(tmp_path, costs=COSTS, total_cost=so_far, **parts)) == []
    (remark,) = said(hdf5(tmp_path, costs=COSTS, total_cost=so_far, cost_hazards=parts["cost_hazards"]))
    assert remark.startswith("cost_hazards differs from the costs in costs, and is not read")


def test_costs_of_another_kind_are_no_matter(tmp_path):
    """One for each episode, texts, and empty cells."""
    others = {"eval/cost": np.arange(6.0), "episode_costs": np.arange(6.0), "cost_unit": np.array([b"N"] * len(COSTS))}
    assert said(hdf5(tmp_path, costs=COSTS, **others)) == []


@pytest.mark.parametrize("form", ["hdf5", "arrow"])
def test_costs_of_minari_beside_infos_cost(form, tmp_path):
    def write(place, *names):
        return writers.write_minari(tmp_path / place, DATA, ("cost", *names), form=form)

    assert said(write("same", "costs", "unsafe")) == []
    with pytest.raises(InputError, match="has infos/cost and infos/costs, and either may be costs"):
        read_any(write("two", "costs=2"))
    (remark,) = said(write("other", "unsafe=2"))
    assert remark.startswith("infos/unsafe differs from the costs in infos/cost, and is not read")
    assert said(tmp_path / "other" / "lab" / "arm" / "mixed-v0", Reading(("costs=infos/unsafe",))) == []


def test_a_group_with_a_recording_of_its_own_is_remarked_on(tmp_path):
    """Half of the data were left out in silence."""
    half = {f"part2/{key}": values for key, values in DATA.items()}
    path = writers.write_hdf5(tmp_path / "a.hdf5", DATA | half)
    note = "holds observations, actions and rewards of their own, which are not read"
    assert said(path) == [f"the group part2 {note}"]
    with h5py.File(path, "r+") as file:
        file.copy("part2", "part3")
    assert said(path) == [f"2 groups, such as part2, {note.replace('holds', 'hold')}"]
