"""Networks without normalisation, by Fixup's variances and with gamma-swish: reference values."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf import models
from spectral_tf.errors import UserError
from spectral_tf.models.blocks import GammaSwish, Scale
from spectral_tf.models.classifiers import classifier
from spectral_tf.models.shake import ShakeDrop, pyramid_net, shake_shake
from spectral_tf.models.small import convnet
from spectral_tf.models.wide_resnet import wide_resnet

EVERY = tuple(models.NETWORK_OPTIONS)
IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype(np.float32)


def small(*options, **sizes):
    return wide_resnet(
        **{"depth": 10, "width": 24, "input_shape": (8, 8, 3), "seed": 1, "options": options}
        | sizes
    )


def count(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def kernels(model):
    return [v.numpy() for v in model.trainable_variables if len(v.shape) == 4]


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        # wrn_32 has 25 normalisations of 3,616 scales and offsets together, and 13 activations
        # with numbers of their own, of which a block shares one.
        (("unnormalised",), 1_553_626 - 3_616 + 25),
        (("fixup",), 1_553_626),
        (("gamma_swish",), 1_553_626 + 2 * 13),
        (EVERY, 1_553_626 - 3_616 + 25 + 2 * 13),
    ],
)
def test_options_change_the_published_number_of_parameters(options, parameters):
    assert count(
        classifier("wrn_32", input_shape=(32, 32, 3), num_classes=10, options=options)
    ) == (parameters)


@pytest.mark.parametrize(
    "build",
    [
        lambda **o: convnet(width=4, input_shape=(8, 8, 3), **o),
        lambda **o: pyramid_net(blocks=1, alpha=6, input_shape=(8, 8, 3), **o),
        lambda **o: wide_resnet(depth=10, width=4, input_shape=(8, 8, 3), **o),
        pytest.param(
            lambda **o: shake_shake(width=4, input_shape=(8, 8, 3), **o), marks=pytest.mark.long
        ),
    ],
    ids=["convnet", "pyramid_net", "wide_resnet", "shake_shake"],
)
def test_every_normalisation_of_every_network_becomes_one_number(build):
    normalised, other = build(), build(options=["unnormalised"])
    vectors = [v for v in normalised.trainable_variables if len(v.shape) == 1][:-1]  # No bias.
    numbers = [v for v in other.trainable_variables if len(v.shape) == 0]
    assert 2 * len(numbers) == len(vectors) > 0
    assert all(number.numpy() == 1 for number in numbers)
    assert all("seed" in v.path for v in other.non_trainable_variables)  # No moments.
    for plain, same in zip(kernels(normalised), kernels(other), strict=True):
        np.testing.assert_array_equal(plain, same)


def test_fixup_has_the_draws_of_he_with_the_variances_of_its_depth():
    """1 / fan_in of the first kernel, 2 / (fan_in L) and 0 in the L = 3 blocks, He's elsewhere."""
    he, fixup = (kernels(small(*options)) for options in ((), ("fixup",)))
    # The first, then of each block the first of its branch, the shortcut, the second of its branch.
    ratios = [math.sqrt(1 / 2), *(math.sqrt(1 / 3), 1, 0) * 3]
    for plain, other, ratio in zip(he, fixup, ratios, strict=True):
        np.testing.assert_allclose(other, ratio * plain, rtol=1e-5)
    wide = kernels(wide_resnet(width=64, options=["fixup"]))
    assert len(wide) == 1 + 3 * 3 + 2 * 9  # 12 blocks, as the published depth.
    largest = max((k for k in wide if k.any() and k.shape[2] == k.shape[3]), key=np.size)
    fan_in = math.prod(largest.shape[:3])
    np.testing.assert_allclose(largest.std(), math.sqrt(2 / 12 / fan_in), rtol=0.02)


def test_gamma_swish_starts_as_the_identity_and_has_swish_and_relu_in_reach():
    layer = GammaSwish()
    x = np.array([-2.0, -1.0, 0.0, 0.5, 3.0], np.float32)
    np.testing.assert_array_equal(layer(x), x)
    assert [v.numpy() for v in layer.trainable_variables] == [0, 2]
    layer.beta.assign(1.0)
    layer.gamma.assign(1.0)
    swish = [-0.2384058, -0.2689414, 0.0, 0.3112297, 2.8577224]
    np.testing.assert_allclose(layer(x), swish, rtol=1e-6)
    layer.beta.assign(100.0)
    np.testing.assert_allclose(layer(x), np.maximum(x, 0), atol=1e-6)
    # d/dbeta = gamma x^2 s (1 - s), 0.25 x^2 gamma at beta = 0; d/dgamma = x s(beta x), x / 2.
    layer.beta.assign(0.0)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x))
    weights = [variable.value for variable in layer.trainable_variables]
    np.testing.assert_allclose(tape.gradient(total, weights), [0.25 * np.sum(x**2), np.sum(x) / 2])


def test_a_scale_is_the_identity_until_it_learns():
    layer = Scale()
    np.testing.assert_array_equal(layer(IMAGES), IMAGES)
    layer.scale.assign(3.0)
    np.testing.assert_array_equal(layer(IMAGES), 3 * IMAGES)


def test_with_all_options_the_first_features_are_those_of_the_shortcuts():
    """Blocks start at 0 and activations as the identity: four convolutions, and their mean."""
    model = small(*EVERY)
    first, *others = kernels(model)
    x = tf.nn.conv2d(IMAGES, first, 1, "SAME")
    for strides, shortcut in zip((1, 2, 2), others[1::3], strict=True):
        x = tf.nn.conv2d(x, shortcut, strides, "SAME")
    features = keras.Model(model.inputs, model.get_layer("logits").input)
    expected = tf.reduce_mean(x, axis=(1, 2))
    for training in (False, True):  # No moments of the batch.
        found = features(IMAGES, training=training)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(expected).max() > 0.01
    assert not np.any(model(IMAGES))  # The head starts at zero all the same.


def test_both_activations_of_a_block_share_their_numbers():
    layers = [layer for layer in small("gamma_swish").layers if isinstance(layer, GammaSwish)]
    assert [len(layer._inbound_nodes) for layer in layers] == [2, 2, 2, 1]


@pytest.mark.parametrize("options", [*itertools.combinations(EVERY, 2), EVERY])
def test_a_saved_file_gives_the_same(options, tmp_path):
    model = small(*options, width=4)
    for variable in model.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.1)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(IMAGES), again(IMAGES))
    assert np.any(model(IMAGES))
    marked = [getattr(v, "undecayed", False) for v in again.trainable_variables]
    assert sum(marked) == 8 * ("gamma_swish" in options)


def test_shake_drop_keeps_less_of_deeper_blocks():
    """1 - l / (2 L) of block l of L; E of the forward factor is that, of the backward one more."""
    model = pyramid_net(blocks=2, alpha=6, input_shape=(8, 8, 3))
    stages = [layer for layer in model.layers if layer.name.startswith("stage_")]
    layers = [layer for stage in stages for layer in stage.layers]
    kept = [layer.keep for layer in layers if isinstance(layer, ShakeDrop)]
    np.testing.assert_allclose(kept, [1 - block / 12 for block in range(1, 7)])
    x = tf.ones((20_000, 1, 1, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        forward = ShakeDrop(0.75, seed=5)(x, training=True)
    backward = tape.gradient(forward, x)
    # b + a - b a with E b = 0.75 and E a = 0 forward, 1/2 backward.
    np.testing.assert_allclose(np.mean(forward), 0.75, atol=4 * np.std(forward) / math.sqrt(2e4))
    np.testing.assert_allclose(np.mean(backward), 0.875, atol=4 * np.std(backward) / math.sqrt(2e4))


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("convnet", ["fixup"], "expected of convnet some of unnormalised, gamma_swish, got fixup"),
        ("pyramid_net", ["gamma_swish"], "of pyramid_net some of unnormalised, got gamma_swish"),
        ("wrn_32", ["fixpu"], "got fixpu; did you mean fixup"),
        ("mine.keras", ["fixup"], "some of no network options at all, got fixup"),
    ],
)
def test_what_a_network_does_not_offer_is_refused(name, options, line):
    with pytest.raises(UserError, match=line):
        classifier(name, input_shape=(8, 8, 3), num_classes=10, options=options)
