"""The run folder: flags, environment, tables, TensorBoard events, figures, state.

`RunFolder` and the tables are light; `spectral_tf.records.tensorboard` imports TensorBoard and
`spectral_tf.records.figures` (the only module that draws) matplotlib.
"""

from typing import TYPE_CHECKING

from spectral_tf import lazy
from spectral_tf.records.finished import TrainedNetworks, trained_networks
from spectral_tf.records.flagfile import read_flags
from spectral_tf.records.folder import Part, RunFolder
from spectral_tf.records.found import Found, Series
from spectral_tf.records.report import Animation, Report
from spectral_tf.records.small_files import read_json, reading
from spectral_tf.records.tables import (
    Head,
    Table,
    Tables,
    averaged,
    estimate_lines,
    estimates,
    read_head,
    read_table,
    tidy,
    write_table,
)
from spectral_tf.storage import atomic_write

if TYPE_CHECKING:
    from spectral_tf.records import figures as figures
    from spectral_tf.records import learning as learning

# The modules that draw load matplotlib when they are first used.
__getattr__ = lazy.subpackage(__name__, {}, ("figures", "learning"))[0]

__all__ = [
    "Animation",
    "Found",
    "Head",
    "Part",
    "Report",
    "RunFolder",
    "Series",
    "Table",
    "Tables",
    "TrainedNetworks",
    "atomic_write",
    "averaged",
    "estimate_lines",
    "estimates",
    "read_flags",
    "read_head",
    "read_json",
    "read_table",
    "reading",
    "tidy",
    "trained_networks",
    "write_table",
]
