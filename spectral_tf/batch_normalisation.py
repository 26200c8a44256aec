"""Batch normalisation by TensorFlow's fused kernel, and folded into convolutions at inference.

Keras builds it of moments and element-wise operations, each of which passes through all activations
once more. While a network trains, `FusedBatchNormV3` does all of it in one operation. While one
answers, mean and variance are fixed: s = gamma / sqrt(variance + epsilon) scales the kernel of the
convolution before, W x s + (beta - mean s), and nothing is left to be done to its outputs.
"""

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

# By how much outputs may move when normalisations are folded, as a share of the largest of them:
# some tens of roundings of float32.
TOLERANCE = 1e-4


@keras.saving.register_keras_serializable("spectral_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster on images [b, h, w, c].

    Arguments, weights, their names and what is saved of them are those of Keras' layer; outputs,
    gradients and moving statistics are equal to its within rounding of float32. In training, images
    of at most 32 bits whose channels are the last axis take the fused kernel; where replicas
    synchronise their statistics, with a mask, with `renorm` and for other inputs it is Keras' own.
    At inference it is folded into a convolution before it (`folded`) within a `tf.function`, and
    Keras' own elsewhere.

    A model that holds it is read again where this module is imported; elsewhere Keras asks for its
    class in `custom_objects`. `with_keras_layers` gives the same model without it.

    Sources: Ioffe and Szegedy (2015); the correction of the variance, which the kernel gives with
    n - 1 in the denominator and Keras averages with n.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalised inputs; in training the moving statistics take a step."""
        given = None
        if mask is None and training and self.trainable:
            given = self._fused(inputs)
        elif mask is None:
            given = folded(self, inputs)
        return super().call(inputs, training=training, mask=mask) if given is None else given

    def _fused(self, inputs: tf.Tensor) -> tf.Tensor | None:
        """Of one replica alone; None where the kernel is not for it."""
        together = self.synchronized and tf.distribute.get_strategy().num_replicas_in_sync > 1
        if together or self.renorm or not _of_images(self, inputs) or inputs.dtype == tf.float64:
            return None
        x = tf.cast(inputs, tf.float32)
        channels, none = x.shape[-1], tf.zeros([0])
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=_value(self.gamma) if self.scale else tf.ones([channels]),
            offset=_value(self.beta) if self.center else tf.zeros([channels]),
            mean=none,
            variance=none,
            epsilon=self.epsilon,
            is_training=True,
        )
        n = tf.cast(tf.size(x) // channels, tf.float32)
        # The kernel divides by n - 1, or by 1 if that is 0.
        variance *= tf.maximum(n - 1, 1) / n
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(_value(moving) * self.momentum + now * (1 - self.momentum))
        return tf.cast(y, self.compute_dtype)


def _of_images(layer: keras.layers.BatchNormalization, inputs: Any) -> bool:
    rank = len(inputs.shape)
    return rank == 4 and layer.axis in (-1, 3) and bool(inputs.shape[-1])


def _value(variable: keras.Variable) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(variable), tf.float32)


def folded(layer: keras.layers.BatchNormalization, inputs: Any) -> tf.Tensor | None:
    """What a normalisation gives at inference, by a convolution with scaled kernels.

    The convolution that gave the inputs is not computed unless something else asks for it.

    Args:
      layer: any, built.
      inputs: within a `tf.function`, float32.

    Returns:
      the outputs; None where the inputs are not those of `Conv2D` or `DepthwiseConv2D` (with a bias
      or without) in the same function.
    """
    if not (tf.is_symbolic_tensor(inputs) and inputs.dtype == tf.float32):
        return None
    if not _of_images(layer, inputs) or layer.compute_dtype != "float32":
        return None
    operation, bias = inputs.op, tf.zeros([])
    if operation.type in ("AddV2", "BiasAdd"):
        first, second = operation.inputs
        if second.shape.num_elements() != inputs.shape[-1]:
            return None  # The sum of two images.
        operation, bias = first.op, tf.reshape(second, [-1])
    if operation.type not in ("Conv2D", "DepthwiseConv2dNative"):
        return None
    names = ("strides", "padding", "explicit_paddings", "dilations", "data_format")
    settings = {name: operation.get_attr(name) for name in names}
    if settings["data_format"] != b"NHWC":
        return None
    scale = tf.math.rsqrt(_value(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale *= _value(layer.gamma)
    offset = (bias - _value(layer.moving_mean)) * scale
    if layer.center:
        offset += _value(layer.beta)
    images, kernel = operation.inputs
    if operation.type == "Conv2D":
        outputs = tf.raw_ops.Conv2D(input=images, filter=kernel * scale, **settings)
    else:
        scaled = kernel * tf.reshape(scale, kernel.shape[2:])
        outputs = tf.raw_ops.DepthwiseConv2dNative(input=images, filter=scaled, **settings)
    return tf.nn.bias_add(outputs, offset)


def at_inference(model: keras.Model | keras.layers.Layer) -> Callable[[Any], Any]:
    """The function of a model, batch normalisation and dropout as at inference.

    Within a `tf.function` the normalisations of Keras are folded, too, which costs the user of a
    model nothing and changes nothing of it. Whether its outputs stay what they are is looked at
    once for each model, on two random images: if they differ by more than `TOLERANCE` of the
    largest, or the model tells no input shape, they are computed as it was written.
    """

    def ask(inputs: Any) -> Any:
        return model(inputs, training=False)

    def ask_folded(inputs: Any) -> Any:
        with _folding(model):
            return model(inputs, training=False)

    return ask_folded if _may_be_folded(model, ask, ask_folded) else ask


# Whether their outputs stay what they are.
_LOOKED_AT: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def _may_be_folded(
    model: Any, ask: Callable[[tf.Tensor], Any], ask_folded: Callable[[tf.Tensor], Any]
) -> bool:
    # What a TPU runs is compiled, which gains nothing.
    on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
    if on_tpu or not tf.executing_eagerly() or not any(_of_keras(model)):
        return False
    if model not in _LOOKED_AT:
        shape: Any = None
        with contextlib.suppress(AttributeError, ValueError):  # Of a model that declares none.
            shape = model.input_shape
        if not (isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:]):
            return False
        _LOOKED_AT[model] = _agree(model, shape[1:], ask, ask_folded)
    return _LOOKED_AT[model]


def _agree(
    model: Any,
    shape: tuple[int, ...],
    ask: Callable[[tf.Tensor], Any],
    ask_folded: Callable[[tf.Tensor], Any],
) -> bool:
    both = tf.function(lambda x: (ask(x), ask_folded(x)), autograph=False)
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    try:
        own, other = (tf.nest.flatten(given) for given in both(tf.constant(images)))
    except Exception:  # Whoever asks it gets the error where it belongs.
        return False
    differ = 0.0
    for x, y in zip(own, other, strict=True):
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        largest = np.abs(x).max(initial=np.finfo(np.float32).tiny)
        differ = max(differ, float(np.abs(y - x).max(initial=0) / largest))
    if not differ <= TOLERANCE:  # NaN does not.
        logging.info(
            "%s: its normalisations are not folded into its convolutions, which would move its "
            "outputs by %.1g of the largest (at most %g)",
            *(model.name, differ, TOLERANCE),
        )
    return differ <= TOLERANCE


def _of_keras(model: Any) -> Iterator[keras.layers.BatchNormalization]:
    """The normalisations of Keras itself in a model: a subclass may answer otherwise."""
    layers = model._flatten_layers()
    return (each for each in layers if type(each) is keras.layers.BatchNormalization)


@contextlib.contextmanager
def _folding(model: Any) -> Iterator[None]:
    """Within it the normalisations of a model are folded; their own `call`s are back afterwards."""
    changed = list(_of_keras(model))
    for layer in changed:
        # Past Keras' own __setattr__, which would track it.
        object.__setattr__(layer, "call", _call_of(layer))
    try:
        yield
    finally:
        for layer in changed:
            object.__delattr__(layer, "call")


def _call_of(layer: keras.layers.BatchNormalization) -> Callable[..., Any]:
    own = layer.call

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        given = folded(layer, inputs) if mask is None and not training else None
        return own(inputs, training=training, mask=mask) if given is None else given

    return call


def with_keras_layers(model: keras.Model) -> keras.Model:
    """The same model, without layers of this module: a file of it needs Keras alone.

    Returns:
      the model itself if it has none; else a copy of its values.
    """
    if not any(type(layer) is BatchNormalization for layer in model.layers):
        return model

    def in_keras(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = type(layer)
        kind = keras.layers.BatchNormalization if kind is BatchNormalization else kind
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=in_keras)
    copy.set_weights(model.get_weights())
    return copy
