"""Images for all experiments: found, prepared, normalised, augmented, batched.

Finding and checking needs no TensorFlow; `spectral_tf.data.pipeline` and `.augment` do.
"""

from spectral_tf.data.images import EMBEDDED, Images
from spectral_tf.data.normalisation import Normalisation, standard, to_unit, unit
from spectral_tf.data.sources import find_images

__all__ = ["EMBEDDED", "Images", "Normalisation", "find_images", "standard", "to_unit", "unit"]
