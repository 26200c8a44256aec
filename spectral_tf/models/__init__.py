"""Builders of uncompiled Keras models. The builders import Keras: take them from their modules."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING

from spectral_tf import lazy
from spectral_tf.errors import UserError, nearest
from spectral_tf.storage import as_path

if TYPE_CHECKING:
    import keras

    from spectral_tf.models.autoencoder import denoising_autoencoder as denoising_autoencoder
    from spectral_tf.models.autoencoder import evidence_lower_bound as evidence_lower_bound
    from spectral_tf.models.autoencoder import variational_autoencoder as variational_autoencoder
    from spectral_tf.models.classifiers import classifier as classifier
    from spectral_tf.models.classifiers import from_file as from_file
    from spectral_tf.models.periodic import siren as siren
    from spectral_tf.models.splines import kan as kan

# The builders load Keras when they are first used.
_LAZY = {
    "classifier": "classifiers",
    "denoising_autoencoder": "autoencoder",
    "evidence_lower_bound": "autoencoder",
    "from_file": "classifiers",
    "kan": "splines",
    "siren": "periodic",
    "variational_autoencoder": "autoencoder",
}
__getattr__ = lazy.subpackage(__name__, _LAZY)[0]

# The activations that launchers accept; "sine" is ours, the others are Keras'.
ACTIVATIONS = ("relu", "tanh", "gelu", "silu", "elu", "softplus", "sigmoid", "sine")

# Of the products in fully connected networks (`models.products`).
PRECISIONS = ("float32", "bfloat16", "bfloat16_3x")

# The image classifiers that launchers build by name (`models.classifiers`), and their builders.
FAMILIES = {
    "convnet": "convnet",
    **dict.fromkeys(("small_resnet", "wrn_32", "wrn_160"), "wide_resnet"),
    **dict.fromkeys(("shake_shake_32", "shake_shake_96", "shake_shake_112"), "shake_shake"),
    "pyramid_net": "pyramid_net",
    "resnet_20": "resnet",
}
CLASSIFIERS = tuple(FAMILIES)

# How they can be built otherwise (`models.blocks.Layers`), and the builders that offer it.
NETWORK_OPTIONS = {
    "unnormalised": ("convnet", "wide_resnet", "shake_shake", "pyramid_net"),
    "fixup": ("wide_resnet",),
    "gamma_swish": ("convnet", "wide_resnet"),
}

# Networks of `keras.applications` that pages can measure, and the modules of their preprocessing.
APPLICATIONS = {
    "ConvNeXtTiny": "convnext",
    "DenseNet121": "densenet",
    "EfficientNetB0": "efficientnet",
    "EfficientNetV2B0": "efficientnet_v2",
    "InceptionV3": "inception_v3",
    "MobileNetV2": "mobilenet_v2",
    "ResNet50": "resnet",
    "ResNet101": "resnet",
    "ResNet50V2": "resnet_v2",
    "VGG16": "vgg16",
    "Xception": "xception",
}


def refuse_options(model: str, options: Collection[str], flag: str = "network_options") -> None:
    """Raises a UserError for options that a network does not offer.

    Args:
      model: a key or value of `FAMILIES`, or the path of a file, which offers none.
      options: that are asked for.
      flag: how an error calls them.

    >>> refuse_options("wrn_32", ["unnormalised", "fixup"])
    """
    family = FAMILIES.get(model, model)
    offered = [name for name, families in NETWORK_OPTIONS.items() if family in families]
    if strangers := [name for name in options if name not in offered]:
        raise UserError(
            flag,
            expected=f"of {model} some of {', '.join(offered) or 'no network options at all'}",
            got=strangers[0] or "nothing",
            hint=nearest(strangers[0], offered, "leave it out, or take another network"),
        )


def refuse_application(name: str, weights: str, flag: str = "weights") -> None:
    """Raises a UserError for a network of keras.applications or weights that there are not.

    Args:
      name: of the network.
      weights: as for `models.applications.application`.
      flag: how an error calls them.
    """
    if name not in APPLICATIONS:
        raise UserError(
            "application",
            expected=", ".join(APPLICATIONS),
            got=name,
            hint=nearest(name, APPLICATIONS, "choose one, or name a saved model with --from_run"),
        )
    if weights not in ("imagenet", "random") and not as_path(weights, flag).is_file():
        raise UserError(
            flag,
            expected="imagenet (Keras fetches them), the path of a file, or random",
            got=f"{weights or 'nothing'}, no file",
            hint=f"say --{flag}=imagenet",
        )


@dataclasses.dataclass(frozen=True)
class Mlp:
    """A fully connected network that is to be built: the arguments of `models.mlp.mlp`."""

    width: int = 256
    depth: int = 6
    activation: str = "relu"
    input_dim: int = 1
    output_dim: int = 1
    fourier_features: int = 0
    fourier_scale: float = 1.0
    precision: str = "float32"

    def build(self, seed: int) -> keras.Model:
        """The network with the weights of a seed; loads Keras.

        Raises:
          UserError: as `models.mlp.mlp`.
        """
        from spectral_tf.models.mlp import mlp

        return mlp(**dataclasses.asdict(self), seed=seed)
