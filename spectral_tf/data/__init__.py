"""Images for all experiments: found, prepared, normalised, augmented, batched.

Finding and checking needs no TensorFlow; `spectral_tf.data.pipeline` and `.augment` do.
"""

from spectral_tf.data.images import EMBEDDED, Images
from spectral_tf.data.normalisation import Normalisation, standard, to_unit, unit
from spectral_tf.data.sources import find_images

# What launchers can do to training images, in the order in which it is done; then comes mixup.
AUGMENTATIONS = (
    *("autoaugment", "randaugment", "flip", "pad_and_crop", "cutout"),
    "image_frequency",
)

__all__ = [
    "AUGMENTATIONS",
    "EMBEDDED",
    "Images",
    "Normalisation",
    "find_images",
    "standard",
    "to_unit",
    "unit",
]
