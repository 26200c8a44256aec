"""The image classifiers by name."""

import os
import zipfile
from collections.abc import Callable

import keras

from spectral_tf.errors import UserError
from spectral_tf.models.shake import pyramid_net, shake_shake
from spectral_tf.models.small import convnet
from spectral_tf.models.wide_resnet import wide_resnet

_BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "convnet": lambda width=16, **rest: convnet(width=width, **rest),
    "small_resnet": lambda width=8, **rest: wide_resnet(depth=10, width=width, **rest),
    "wrn_32": lambda width=32, **rest: wide_resnet(width=width, **rest),
    "wrn_160": lambda width=160, **rest: wide_resnet(width=width, **rest),
    "shake_shake_32": lambda width=32, **rest: shake_shake(width=width, **rest),
    "shake_shake_96": lambda width=96, **rest: shake_shake(width=width, **rest),
    "shake_shake_112": lambda width=112, **rest: shake_shake(width=width, **rest),
    "pyramid_net": lambda **rest: pyramid_net(**rest),
}


def classifier(
    name: str,
    *,
    input_shape: tuple[int, int, int],
    num_classes: int,
    width: int = 0,
    seed: int = 0,
) -> keras.Model:
    """An uncompiled classifier, images -> logits.

    Args:
      name: one of `models.CLASSIFIERS`, or the path of a `.keras` file, taken with its weights.
      input_shape: (height, width, channels).
      num_classes: at least 2.
      width: channels of the first stage; 0: the network's own. PyramidNet and files have none.
      seed: of the weights, at least 0; a file has its own.

    Raises:
      UserError: an unknown name or file, a width where there is none, a file of other inputs or
        classes.
    """
    if name.endswith(".keras"):
        if width:
            raise UserError("width", expected="0 for a file", got=width, hint="leave it out")
        return from_file("model", name, input_shape=input_shape, num_classes=num_classes)
    if name not in _BUILDERS:
        raise UserError(
            "model",
            expected=f"{', '.join(_BUILDERS)} or the path of a .keras file",
            got=name or "nothing",
            hint="convnet trains fastest",
        )
    if width and name == "pyramid_net":
        raise UserError("width", expected="0 for pyramid_net", got=width, hint="leave it out")
    sizes = {"width": width} if width else {}
    return _BUILDERS[name](input_shape=input_shape, num_classes=num_classes, seed=seed, **sizes)


def from_file(
    flag: str, path: str, *, input_shape: tuple[int, int, int], num_classes: int
) -> keras.Model:
    """The model of a `.keras` file, which must have these inputs and classes.

    Args:
      flag: how an error calls the path.
      path: of the file.
      input_shape: (height, width, channels).
      num_classes: C.

    Raises:
      UserError: no such file, none that Keras can read, other inputs or outputs, outputs that are
        no logits, losses of its own.
    """
    model = load(flag, path)
    refuse_other_shapes(flag, model, input_shape, num_classes)
    last = model.layers[-1]
    activation = getattr(last, "activation", keras.activations.linear)
    if isinstance(last, keras.layers.Softmax) or activation is not keras.activations.linear:
        raise UserError(
            flag,
            expected="a model that ends in logits, without an activation",
            got=f"{path} that ends in {getattr(activation, '__name__', last.name)}",
            hint="leave its softmax out",
        )
    if model.losses or not model.trainable_variables:
        raise UserError(
            flag,
            expected="a model with weights to train and no losses of its own",
            got=f"{path} with {len(model.trainable_variables)} and {len(model.losses)}",
            hint="take regularisers out, or unfreeze layers",
        )
    return model


def load(flag: str, path: str) -> keras.Model:
    """The model of a `.keras` file, of one input and one output.

    Raises:
      UserError: no such file, or none that Keras can read.
    """
    try:
        if not os.path.isfile(path):
            raise ValueError("no such file")
        if not zipfile.is_zipfile(path):
            raise ValueError("damaged, or another format")
        model = keras.saving.load_model(path, compile=False)
        if not isinstance(model.input_shape, tuple) or not isinstance(model.output_shape, tuple):
            raise ValueError("several inputs or outputs")
    except Exception as error:  # Keras raises many kinds for files that are not its own.
        raise UserError(
            flag,
            expected="a .keras file of registered layers",
            got=f"{path} ({str(error).splitlines()[0][:120]})",
            hint="save it with model.save(PATH)",
        ) from error
    return model


def refuse_other_shapes(
    flag: str, model: keras.Model, input_shape: tuple[int, int, int], num_classes: int
) -> None:
    """Raises a UserError for a model of other images or classes; sides it leaves open fit all."""
    inputs, outputs = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    fits = len(inputs) == 3 and all(
        own in (None, given) for own, given in zip(inputs, input_shape, strict=True)
    )
    if not fits or outputs != (num_classes,):
        raise UserError(
            flag,
            expected=f"a model of images {tuple(input_shape)} and {num_classes} classes",
            got=f"{model.name} of {inputs} and outputs {outputs}",
            hint="take one of this data set, or its data set",
        )
