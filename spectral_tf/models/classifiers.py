"""The image classifiers by name."""

from collections.abc import Callable, Collection

import keras

from spectral_tf.errors import UserError, nearest
from spectral_tf.models import files, refuse_options
from spectral_tf.models.resnet import resnet
from spectral_tf.models.shake import pyramid_net, shake_shake
from spectral_tf.models.small import convnet
from spectral_tf.models.wide_resnet import wide_resnet

_BUILDERS: dict[str, Callable[..., keras.Model]] = {
    "convnet": lambda width=16, **rest: convnet(width=width, **rest),
    "small_resnet": lambda width=8, **rest: wide_resnet(depth=10, width=width, **rest),
    "resnet_20": lambda width=16, **rest: resnet(width=width, **rest),
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
    options: Collection[str] = (),
) -> keras.Model:
    """An uncompiled classifier, images -> logits.

    Args:
      name: one of `models.CLASSIFIERS`, or the path of a file that Keras reads, taken with its
        weights.
      input_shape: (height, width, channels).
      num_classes: at least 2.
      width: channels of the first stage; 0: the network's own. PyramidNet and files have none.
      seed: of the weights, at least 0; a file has its own.
      options: some of `models.NETWORK_OPTIONS` that this network offers; a file none.

    Raises:
      UserError: an unknown name or file, a width or an option where there is none, a file of other
        inputs or classes.
    """
    if files.names_a_file(name):
        refuse_options(name, options)
        if width:
            raise UserError("width", expected="0 for a file", got=width, hint="leave it out")
        model = from_file("model", name, input_shape=input_shape, num_classes=num_classes)
        return _to_train("model", name, model, input_shape)
    if name not in _BUILDERS:
        raise UserError(
            "model",
            expected=f"{', '.join(_BUILDERS)} or the path of a .keras or .h5 file",
            got=name or "nothing",
            hint=nearest(name, _BUILDERS, "convnet trains fastest"),
        )
    if width and name == "pyramid_net":
        raise UserError("width", expected="0 for pyramid_net", got=width, hint="leave it out")
    sizes = {"width": width} if width else {}
    return _BUILDERS[name](
        input_shape=input_shape, num_classes=num_classes, seed=seed, options=options, **sizes
    )


def from_file(
    flag: str, path: str, *, input_shape: tuple[int, int, int], num_classes: int
) -> keras.Model:
    """The model of a file, which must have these inputs and classes; to be called.

    Args:
      flag: how an error calls the path.
      path: of the file, or a SavedModel folder.
      input_shape: (height, width, channels).
      num_classes: C.

    Raises:
      UserError: as `files.load`; other inputs or outputs.
    """
    model = files.load(flag, path)
    refuse_other_shapes(flag, model, input_shape, num_classes)
    return model


def _to_train(
    flag: str, path: str, model: keras.Model, input_shape: tuple[int, int, int]
) -> keras.Model:
    """A model whose weights go on being trained, by a loss without its own."""
    if not hasattr(model, "output_shape"):  # A subclassed one, which does not know its shapes.
        inputs = keras.Input(input_shape)
        model = keras.Model(inputs, model(inputs))
    if model.losses or not model.trainable_variables:
        raise UserError(
            flag,
            expected="a model with weights to train and no losses of its own",
            got=f"{path} with {len(model.trainable_variables)} and {len(model.losses)}",
            hint="unfreeze layers, or take regularisers out: --weight_decay decays weights",
        )
    return model


def refuse_other_shapes(
    flag: str,
    model: keras.Model,
    input_shape: tuple[int | None, ...],
    num_classes: int,
    *,
    or_one: bool = False,
) -> None:
    """Raises a UserError for a model of other images or classes.

    Sides it leaves open fit all, and so does what it does not tell.

    Args:
      flag: how an error calls it.
      model: of one input.
      input_shape: of one input, as the model takes it.
      num_classes: C.
      or_one: whether a single output is good, too.
    """
    inputs = files.input_shape(model)
    outputs = files.output_shape(model, input_shape if inputs is None else inputs)
    fits = inputs is None or len(inputs) == len(input_shape)
    for own, given in zip(inputs or (), input_shape, strict=False):
        fits = fits and (own is None or given is None or own == given)
    good = [(num_classes,), (1,)][: 1 + or_one]
    if not fits or (outputs not in good and outputs is not None):
        raise UserError(
            flag,
            expected=f"a model of images {tuple(input_shape)} and {num_classes} classes",
            got=f"{model.name} of {inputs} and outputs {outputs}",
            hint="take one of this data set, or its data set",
        )
