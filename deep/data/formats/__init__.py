"""The data formats, in the order in which `deep.data.load` tries them. A new format is a new module and its name here.

Each module has

    accepts(path) -> bool       whether the file or folder is of this format; never raises
    read(path, name) -> Fields  its content, checked as far as the format goes; an `InputError` calls the file `name`
    write(...)                  optional

`Fields` holds the arrays of `deep.data.dataset.OfflineDataset` under their names (next_observations may be missing),
and `policies`, `provenance` and `task`, which are None, empty and None where the file does not state them.
"""

from deep.data.formats import dsrl, packed

FORMATS = (packed, dsrl)
