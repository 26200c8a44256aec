"""The networks of `keras.applications`, each with its own preprocessing, as givers of logits."""

import importlib
from collections.abc import Callable

import keras

from spectral_tf.errors import UserError
from spectral_tf.models import APPLICATIONS, refuse_application
from spectral_tf.storage import here

# Of the published weights; the others take 224.
_SIDES = {"InceptionV3": 299, "Xception": 299}


def application(
    name: str, weights: str, *, side: int = 0
) -> tuple[keras.Model, Callable[[object], object]]:
    """A network of 1,000 ImageNet classes, and what makes its inputs of pixels in 0 ... 255.

    Args:
      name: one of `models.APPLICATIONS`.
      weights: `imagenet` (Keras fetches them), the path of a file of weights, or `random`.
      side: of the square inputs; 0: that of the published weights.

    Returns:
      (model, images -> logits [b, 1000]; its preprocessing: float pixels in 0 ... 255 -> inputs).

    Raises:
      UserError: an unknown name, a side too small, weights that are not there, cannot be fetched or
        belong to another architecture.
    """
    refuse_application(name, weights)
    side = side or _SIDES.get(name, 224)
    given = None if weights == "random" else weights
    if given and given != "imagenet":
        given = str(here(given))
    try:
        model = getattr(keras.applications, name)(
            input_shape=(side, side, 3), weights=given, classifier_activation=None
        )
    except Exception as error:  # Keras raises many kinds for sizes, files and hosts.
        raise UserError(
            f"application={name} and weights={weights}",
            expected="weights of this network, and a side that it can take",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            hint="copy the file of weights here and name it with --weights, or raise --side",
        ) from error
    module = importlib.import_module(f"keras.applications.{APPLICATIONS[name]}")
    return model, module.preprocess_input
