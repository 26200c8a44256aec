"""What is done to training images, by the names that flags give."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spectral_tf.data import augment, policies
from spectral_tf.data.augment import Augmentation, Mixing


class Recipe(NamedTuple):
    """What is done to training images, as arguments of `pipeline.training_batches`."""

    policies: Sequence[Augmentation]
    augmentations: Sequence[Augmentation]
    mixings: Sequence[Mixing]


def recipe(
    names: Sequence[str],
    *,
    mixup_alpha: float = 0.0,
    mixup_per_example: bool = False,
    directions: Sequence[np.ndarray] = (),
    mean: Sequence[float] = (0.0,),
) -> Recipe:
    """The augmentations of these names, in the order of `data.AUGMENTATIONS`, then mixup.

    Sizes follow the image as 4 and 16 follow 32 pixels: an eighth of the side for pad and crop, a
    half for cutout.

    Args:
      names: of `data.AUGMENTATIONS`.
      mixup_alpha: 0 for none.
      mixup_per_example: as for `mixup`.
      directions: as for `image_frequency`, if that is among the names.
      mean: of each channel, for `policies`.
    """
    makers = {"autoaugment": policies.autoaugment, "randaugment": policies.randaugment}
    chosen = [make(mean) for name, make in makers.items() if name in names]
    augmentations = {
        "flip": augment.flip,
        "pad_and_crop": augment.pad_and_crop(),
        "cutout": augment.cutout(),
    }
    mixings = [augment.image_frequency(directions)] if "image_frequency" in names else []
    if mixup_alpha:
        mixings.append(augment.mixup(mixup_alpha, per_example=mixup_per_example))
    return Recipe(chosen, [augmentations[name] for name in augmentations if name in names], mixings)
