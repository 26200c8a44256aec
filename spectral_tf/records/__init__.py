"""The run folder: flags, environment, tables, TensorBoard events, figures, state.

`RunFolder` and the tables are light; `spectral_tf.records.tensorboard` imports TensorFlow and
`spectral_tf.records.figures` (the only module that draws) matplotlib.
"""

from spectral_tf.records.files import whole_file
from spectral_tf.records.finished import TrainedNetworks, trained_networks
from spectral_tf.records.folder import Part, RunFolder, read_flags
from spectral_tf.records.tables import averaged, estimates, read_table, write_table

__all__ = [
    "Part",
    "RunFolder",
    "TrainedNetworks",
    "averaged",
    "estimates",
    "read_flags",
    "read_table",
    "trained_networks",
    "whole_file",
    "write_table",
]
