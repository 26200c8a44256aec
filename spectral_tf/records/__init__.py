"""The run folder: flags, environment, tables, TensorBoard events, figures, state.

`RunFolder` and the tables are light; `spectral_tf.records.tensorboard` imports TensorFlow and
`spectral_tf.records.figures` (the only module that draws) matplotlib.
"""

from spectral_tf.records.folder import RunFolder
from spectral_tf.records.tables import read_table, write_table

__all__ = ["RunFolder", "read_table", "write_table"]
