"""A first look at somebody's network: whether chance does as well, whether outputs vary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import logging
from numpy.typing import NDArray
from scipy import stats

from spectral_tf.data import Images
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from spectral_tf.probes.stream import Prepare

# Images that are looked at, at most, and those of them whose outputs may be NaN or infinite.
_IMAGES = 1_000
_NOT_FINITE = 0.01
# Above it an accuracy may be chance.
_P_VALUE = 0.05
# Outputs hardly vary: standard deviation over images of probabilities; of other outputs beside the
# largest of them.
_STILL, _STILL_SHARE = 0.01, 1e-3


class FirstLook(NamedTuple):
    """What the record of a run says of it.

    Attributes:
      num_images: held-out images with finite outputs.
      spread: largest standard deviation over them of a probability; of outputs that are not looked
        at as a classifier's, of any output beside the largest magnitude.
      accuracy: on them; None of such outputs.
      chance: the share of the most frequent class among them, which who knows nothing reaches.
      p_value: exact binomial, of so many correct ones or more by chance; None if they are of one
        class.
    """

    num_images: int
    spread: float
    accuracy: float | None = None
    chance: float | None = None
    p_value: float | None = None

    def warnings(self, flag: str, wants: str = "", gives: str = "") -> list[str]:
        """A line for each thing that makes a network look misunderstood.

        Args:
          flag: how the network is called.
          wants: the flag that says what it wants of pixels; "" if that is known.
          gives: the flag that says what it gives; "" if that is of no account.
        """
        said = [f"--{wants} says what it wants (bytes, unit, imagenet, bgr, ...)"] * bool(wants)
        said += [f"--{gives} what it gives"] * bool(gives)
        hint = f"; {', '.join(said)}" if said else ""
        lines = []
        if self.spread < (_STILL_SHARE if self.accuracy is None else _STILL):
            lines.append(
                f"{flag}: outputs hardly vary over {self.num_images:,} held-out images (standard "
                f"deviation {self.spread:.2g}{'' if self.accuracy is None else ' of a probability'}"
                f"){hint}"
            )
        if self.p_value is not None and self.p_value > _P_VALUE:
            lines.append(
                f"{flag}: accuracy {self.accuracy:.3f} on {self.num_images:,} held-out images is "
                f"not above chance, {self.chance:.3f} for the most frequent class (exact binomial "
                f"p = {self.p_value:.2g}){hint}"
            )
        return lines


def first_look(
    flag: str,
    function: Callable[[Any], Any],
    images: Images,
    shape: tuple[int, int, int],
    prepare: Prepare,
    kind: str,
    strategy: tf.distribute.Strategy,
    kind_name: str = "outputs",
) -> FirstLook:
    """Asks a network about up to 1,000 images before anything is measured.

    Those are spread evenly over a split that is in memory, else the first ones as stored.

    Args:
      flag: how errors call the network.
      function: what `prepare` gives -> outputs.
      images: held-out ones, whose classes are the network's.
      shape: of pixels, [h, w, c].
      prepare: stored pixels -> what the function takes.
      kind: of the outputs, one of `probes.OUTPUTS`; "": they are no classes.
      strategy: that computes.
      kind_name: of the flag that says the kind.

    Raises:
      UserError: outputs that are not what they are said to be, that are not finite for more than
        1 % of the images, or that cannot be had.
    """
    from spectral_tf import probes
    from spectral_tf.data.selection import labels_of, select

    few = min(_IMAGES, images.num_examples)
    split = images if images.resident else images.take(few)
    chosen = np.unique(np.linspace(0, split.num_examples - 1, few).astype(int))
    selection = select(split, chosen, shape)
    labels = labels_of(split)[selection.indices]
    given = _asked(flag, function, selection.pixels, prepare, strategy)
    finite = np.isfinite(given).all(axis=1)
    if (lost := int(np.sum(~finite))) > _NOT_FINITE * len(given):
        raise UserError(
            flag,
            expected=f"finite outputs on all but {_NOT_FINITE:.0%} of {len(given):,} images",
            got=f"NaN or infinite ones on {lost:,}",
            hint="look for what diverged in the model, or say what it wants with --normalisation",
        )
    given, labels = given[finite], labels[finite]
    if not kind:
        largest = float(np.abs(given).max())
        return FirstLook(len(given), float(given.std(axis=0).max()) / (largest or 1.0))
    probes.refuse_other_outputs(given, kind, kind_name)
    spread = float(probes.probabilities_of(given, kind).std(axis=0).max())
    return _against_chance(probes.predictions_of(given, kind), labels, spread)


def _against_chance(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], spread: float
) -> FirstLook:
    correct, count = int(np.sum(predicted == labels)), len(labels)
    chance = float(np.bincount(labels).max() / count)
    p_value = None if chance == 1 else float(stats.binom.sf(correct - 1, count, chance))
    return FirstLook(count, spread, correct / count, chance, p_value)


def _asked(
    flag: str,
    function: Callable[[Any], Any],
    pixels: NDArray,
    prepare: Prepare,
    strategy: tf.distribute.Strategy,
) -> NDArray[np.float32]:
    """Outputs [n, d]; whatever somebody's network raises is one line."""
    from spectral_tf import probes

    size = 64 * strategy.num_replicas_in_sync
    try:
        return probes.outputs(function, pixels, prepare, batch_size=size, strategy=strategy)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "ResourceExhaustedError":
            raise
        text = next((line for line in str(error).splitlines() if line.strip()), "")
        raise UserError(
            flag,
            expected=f"a network that can be asked about images {tuple(pixels.shape[1:])}",
            got=f"{type(error).__name__}: {text.strip()[:200]}",
            hint="say what it wants with --normalisation, or save it with an Input of fixed sides",
        ) from error


def warn(look: FirstLook, flag: str, wants: str = "", gives: str = "") -> dict[str, Any]:
    """Logs what makes the network look misunderstood; what the record says of the look."""
    lines = look.warnings(flag, wants, gives)
    for line in lines:
        logging.warning("%s", line)
    return {**look._asdict(), "warnings": lines}
