"""The data formats, in the order in which `deep.data.load` tries them. A new format is a new module and its name here.

Each module has

    accepts(path) -> bool                whether the file is of this format; never raises
    read(path, name, reading) -> Fields  its content, checked as far as the format goes; an `InputError` calls the file
                                         `name`; `reading` is a `deep.data.reading.Reading`
    files(path) -> list[Path]            optional: all files that hold the data, where these are more than one
    write(...)                           optional

`Fields` holds the arrays of `deep.data.dataset.OfflineDataset` under their names (next_observations may be missing),
`remarks`, which say what was assumed, and `policies`, `provenance` and `task`, which are None, empty and None where the
file does not state them. `deep.data.formats.table` makes fields of any named arrays with a row for each transition.
"""

from deep.data.formats import columns, d3rlpy, dsrl, minari, minari_arrow, npz, packed

FORMATS = (packed, minari, minari_arrow, d3rlpy, dsrl, npz, columns)
