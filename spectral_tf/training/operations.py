"""Floating-point operations, counted before anything is computed."""

import re
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf


def operations(function: Callable, *specs: tf.TensorSpec) -> int:
    """The floating-point operations of a function of tensors, as TensorFlow's profiler counts them.

    A multiplication and an addition are two: a matrix product [a, b] [b, c] has 2 a b c. Products,
    convolutions, their gradients and most elementwise operations are counted; what is within a loop
    or a compiled program is not, and neither is what has no rule (gathering, sorting, drawing).

    Args:
      function: traced, not run.
      specs: of its arguments, of known shapes.
    """
    graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    asked, todo = set(), [*(output.op for output in graph.outputs), *graph.control_outputs]
    while todo:
        if (one := todo.pop()).name not in asked:
            asked.add(one.name)
            todo += [*(value.op for value in one.inputs), *one.control_inputs]
    # What nothing asks for is not computed, such as a convolution that was folded.
    hidden = [f"^{re.escape(o.name)}$" for o in graph.get_operations() if o.name not in asked]
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    options.with_node_names(hide_name_regexes=hidden)
    with graph.as_default():
        counted = profiler.profile(graph, options=options.with_empty_output().build())
    return int(counted.total_float_ops)


class Cost(NamedTuple):
    """What a network costs for one sample.

    Attributes:
      parameters: of the whole network.
      forward: operations of an answer.
      training: operations of an answer, its loss and all gradients; the optimiser, about ten for
        each parameter and step, is not in it.
    """

    parameters: int
    forward: float
    training: float


def cost(model: keras.Model, *, classifies: bool, num_samples: int = 64) -> Cost:
    """The operations of a network for each sample of a batch.

    Args:
      model: of one input and one output, of known shapes.
      classifies: whether its loss is the cross-entropy of logits, else squared errors.
      num_samples: of the batch that is traced; what the batch shares is divided among them.
    """
    inputs, outputs = (
        tf.TensorSpec((num_samples, *shape[1:]), tf.float32)
        for shape in (model.input_shape, model.output_shape)
    )
    loss = tf.nn.softmax_cross_entropy_with_logits if classifies else tf.math.squared_difference
    weights = [v.value for v in model.trainable_variables]

    def gradients(x: tf.Tensor, y: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(y, model(x, training=True)))
        return tape.gradient(value, weights)

    forward = operations(lambda x: model(x, training=False), inputs)
    training = operations(gradients, inputs, outputs)
    return Cost(model.count_params(), forward / num_samples, training / num_samples)
