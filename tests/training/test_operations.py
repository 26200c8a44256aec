import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.models.mlp import mlp
from spectral_tf.models.small import convnet
from spectral_tf.training.operations import cost, operations


def test_a_product_has_a_multiplication_and_an_addition_for_each_pair():
    a, b = tf.TensorSpec((3, 5)), tf.TensorSpec((5, 7))
    assert operations(tf.matmul, a, b) == 2 * 3 * 5 * 7
    assert operations(lambda a, b: tf.matmul(a, b) + 1.0, a, b) == 2 * 3 * 5 * 7 + 3 * 7


def test_a_network_costs_its_products_three_times_but_for_the_first():
    """Answer, gradients by weights and by what comes in; the first layer needs none of the last."""
    width, depth, inputs = 64, 4, 3
    found = cost(mlp(width=width, depth=depth, input_dim=inputs, seed=0), classifies=False)
    first, inner, last = inputs * width, width * width, width
    assert found.parameters == first + 2 * inner + last + 3 * width + 1
    assert found.forward == pytest.approx(2 * (first + 2 * inner + last), rel=0.05)
    products = 2 * (2 * first + 3 * (2 * inner + last))
    assert found.training == pytest.approx(products, rel=0.05)
    assert found.training > products  # Biases, activations and the loss are counted, too.


def test_convolutions_cost_their_kernel_at_every_place():
    model = convnet(width=32, num_classes=5, input_shape=(16, 16, 3))
    products = [
        2 * np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape)
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    found = cost(model, classifies=True)
    assert len(products) > 1
    assert sum(products) < found.forward < 1.1 * sum(products)
    gradients = 3 * sum(products) - products[0]
    assert gradients < found.training < 1.1 * gradients


def test_the_batch_does_not_change_the_cost_of_a_sample():
    few, many = (
        cost(mlp(width=64, depth=4, seed=0), classifies=False, num_samples=n) for n in (32, 128)
    )
    assert few.forward == many.forward
    assert few.training == pytest.approx(many.training, rel=0.01)
