"""Images that are learned must not be among those that are held out."""

import hashlib
from typing import Any

import numpy as np
from absl import logging

from spectral_tf.data.images import TOLERATED, Images
from spectral_tf.errors import UserError


def refuse_overlap(training: Images, held_out: Images) -> dict[str, Any]:
    """Looks for held-out images among the training images of the same data set.

    Of the same splits the slices are compared: those of TFDS by the ranges that were asked for,
    whatever `Images.take` leaves of them; one's own images by the very images. These are also
    compared by content (the pixels of npz files, the bytes of files in folders), since people's
    files hold copies, and by clusters. Copies cost a hash of every image of npz files, about a
    second for 50,000 of CIFAR-10's size, and of those files alone that have the size of another.

    Args:
      training: images to learn from.
      held_out: images to measure on.

    Returns:
      for the record: `held_out_copies`, the number of held-out images of which an exact copy is
      learned, and `held_out_of_training_clusters`, of images whose cluster has a number that
      training images have, too; each only if there are some. A warning says them.

    Raises:
      UserError: the same images in both, or copies of more than 1 % of the held-out images.
    """
    both = _shared(training, held_out)
    subject = f"train_split={training.split} and held_out={held_out.split}"
    if both:
        raise UserError(
            subject,
            expected="no image in both",
            got=f"{both:,} in both",
            hint="take the one's complement, such as --train_split=train[:80%] "
            "--held_out=train[80%:]",
        )
    found = {}
    if copies := _copies(training, held_out):
        number, share = len(copies), len(copies) / held_out.num_examples
        if share > TOLERATED:
            raise UserError(
                subject,
                expected=f"at most {TOLERATED:.0%} of the held-out images to be copies of training "
                "images",
                got=f"{number:,} of {held_out.num_examples:,}, the first is number {copies[0]}",
                hint="remove them from one of the two",
            )
        logging.warning("%d held-out images are exact copies of training images", number)
        found["held_out_copies"] = number
    if number := _of_training_clusters(training, held_out):
        logging.warning(
            "%d of %d held-out images are of clusters with numbers that training images have, too: "
            "if a number means the same in both, they are not held out",
            number,
            held_out.num_examples,
        )
        found["held_out_of_training_clusters"] = number
    return found


def _shared(training: Images, held_out: Images) -> int:
    """The number of held-out images that may be learned."""
    if training.own and held_out.own:
        return int(np.isin(held_out.own.numbers, training.own.numbers).sum())
    both = 0
    for held in held_out.parts:
        taken = np.zeros(max(held.stop - held.start, 0), bool)
        for part in training.parts:
            if part.split == held.split:
                taken[max(part.start - held.start, 0) : max(part.stop - held.start, 0)] = True
        both += int(taken.sum())
    return both


def _copies(training: Images, held_out: Images) -> list[int]:
    """Places of the held-out images whose content a training image has, too."""
    learned, held = training.own, held_out.own
    if not learned or not held:
        return []

    def digest(content: bytes) -> bytes:
        return hashlib.blake2b(content, digest_size=16).digest()

    sizes = {held.size(number) for number in held.numbers.tolist()}
    same = [n for n in learned.numbers.tolist() if learned.size(n) in sizes]
    sizes = {learned.size(number) for number in same}
    known = {digest(learned.content(number)) for number in same}
    return [
        place
        for place, number in enumerate(held.numbers.tolist())
        if held.size(number) in sizes and digest(held.content(number)) in known
    ]


def _of_training_clusters(training: Images, held_out: Images) -> int:
    """The number of held-out images in clusters of a number that training images have, too."""
    if not (training.own and training.has_clusters and held_out.has_clusters):
        return 0
    return int(np.isin(held_out.clusters(), training.clusters()).sum())
