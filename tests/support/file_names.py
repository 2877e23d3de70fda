"""Names of files that some program cannot print or draw."""

NAMES = [b"cost_$5_to_$10.hdf5", b"caf\xe9 $x_{\\frac.hdf5", "\u20ac\u4e2d$^{.hdf5".encode(), b"n" * 240 + b".hdf5"]
"""Dollar signs, bytes that are no UTF-8, letters that a font lacks, great length."""
