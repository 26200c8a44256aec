"""Images for all experiments: found, prepared, normalised, augmented, batched.

Finding and checking needs no TensorFlow; `spectral_tf.data.pipeline` and `.augment` do.
"""

from typing import TYPE_CHECKING

from spectral_tf import lazy
from spectral_tf.data.images import EMBEDDED, Images, merged_names
from spectral_tf.data.inputs import Inputs
from spectral_tf.data.normalisation import Normalisation, standard, to_unit, unit
from spectral_tf.data.overlap import refuse_overlap
from spectral_tf.data.sources import find_images, refuse_file
from spectral_tf.data.superclasses import hierarchies, read_hierarchy, superclasses

if TYPE_CHECKING:
    from spectral_tf.data.pipeline import prepare as prepare
    from spectral_tf.data.selection import labels_of as labels_of
    from spectral_tf.data.selection import refuse_unreadable as refuse_unreadable
    from spectral_tf.data.selection import select as select

_LAZY = dict.fromkeys(("labels_of", "refuse_unreadable", "select"), "selection")
_LAZY["prepare"] = "pipeline"
__getattr__ = lazy.subpackage(__name__, _LAZY)[0]

# What launchers can do to training images, in the order in which it is done; then comes mixup.
AUGMENTATIONS = (
    *("autoaugment", "randaugment", "flip", "pad_and_crop", "cutout"),
    "image_frequency",
)

__all__ = [
    "AUGMENTATIONS",
    "EMBEDDED",
    "Images",
    "Inputs",
    "Normalisation",
    "find_images",
    "hierarchies",
    "labels_of",
    "merged_names",
    "prepare",
    "read_hierarchy",
    "refuse_file",
    "refuse_overlap",
    "refuse_unreadable",
    "select",
    "standard",
    "superclasses",
    "to_unit",
    "unit",
]
