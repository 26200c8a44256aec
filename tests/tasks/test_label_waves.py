import math

import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.tasks.label_waves import (
    SmoothingWave,
    fourier_direction,
    frequency_for_cycles,
    power_law_direction,
    random_direction,
)

SHAPE = (8, 12, 3)
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(500, *SHAPE)).astype(np.float32)
LABELS = RNG.integers(10, size=500)
ONE_HOT = np.eye(10, dtype=np.float32)[LABELS]
RANDOM = random_direction(SHAPE, np.random.default_rng(1))


def placed(wave):
    return wave.placed(wave.coordinates(IMAGES))


def waves():
    base = {"amplitude": 0.3, "frequency": 0.4, "num_classes": 10}
    return {
        "radial": SmoothingWave(**base),
        "direction": SmoothingWave(**base, coordinate="direction", direction=RANDOM),
        "uniform": SmoothingWave(**base, coordinate="none"),
    }


def test_divided_by_the_batchs_mean_the_smoothing_is_cut_off_at_1():
    wave = SmoothingWave(0.45, 0.4, 10, per_batch=True)
    low = IMAGES[np.argsort(wave.raw(wave.coordinates(IMAGES)))[:50]]  # A batch of a small mean.
    batch = np.concatenate([low, IMAGES[:5]])
    s = wave.smoothing(wave.coordinates(batch))
    assert s.max() == 1.0
    labels = wave.smooth(tf.constant(batch), tf.one_hot(np.zeros(55, int), 10)).numpy()
    assert labels.min() >= 0
    np.testing.assert_allclose(labels[:, 1], s / 10, rtol=1e-4, atol=1e-6)


def test_the_formula_by_hand(assert_close):
    image = np.zeros((1, *SHAPE))
    image[0, 0, 0, 0], image[0, 1, 1, 1] = 3.0, 4.0
    wave = SmoothingWave(0.2, 0.05, 10, phase=2.0, mean=0.8)
    s = 0.2 * (1 + math.sin(2 * math.pi * 0.05 * 3)) / 0.8
    assert_close(wave.smoothing(wave.coordinates(image)), [s])
    smoothed = wave.smooth(tf.constant(image), tf.one_hot([4], 10, dtype=tf.float64)).numpy()
    expected = np.full(10, s / 10)
    expected[4] += 1 - s
    np.testing.assert_allclose(smoothed, [expected], rtol=1e-6)


@pytest.mark.parametrize("name", ["radial", "direction", "uniform"])
def test_measured_on_images_the_mean_smoothing_is_the_amplitude(name, assert_close):
    wave = placed(waves()[name])
    smoothing = wave.smoothing(wave.coordinates(IMAGES))
    assert_close(smoothing.mean(), 0.3)
    assert smoothing.min() >= 0
    assert smoothing.max() <= 1
    if name == "radial":
        assert_close(wave.phase, np.linalg.norm(IMAGES.reshape(500, -1), axis=1).mean())


@pytest.mark.parametrize("name", ["radial", "direction", "uniform"])
@pytest.mark.parametrize("changes", [{}, {"per_batch": True}, {"noise_class": 3}])
def test_tensorflow_and_numpy_smooth_alike(name, changes):
    import dataclasses

    wave = dataclasses.replace(placed(waves()[name]), **changes)
    s = wave.smoothing(wave.coordinates(IMAGES), LABELS)[:, np.newaxis]
    expected = (1 - s) * ONE_HOT + s / 10
    ours = wave.smooth(tf.constant(IMAGES), tf.constant(ONE_HOT)).numpy()
    np.testing.assert_allclose(ours, expected, atol=2e-5)
    np.testing.assert_allclose(ours.sum(axis=1), 1, atol=1e-5)


def test_frequency_0_is_uniform_smoothing(assert_close):
    still = placed(SmoothingWave(0.3, 0.0, 10))
    assert_close(still.smoothing(still.coordinates(IMAGES)), np.full(500, 0.3))


def test_labels_are_not_changed_and_twice_is_not_once_more():
    """The published code wrote smoothed labels back into the data set."""
    labels = tf.constant(ONE_HOT)
    wave = placed(waves()["radial"])
    first = wave.smooth(tf.constant(IMAGES), labels).numpy()
    np.testing.assert_array_equal(labels.numpy(), ONE_HOT)
    np.testing.assert_array_equal(wave.smooth(tf.constant(IMAGES), labels).numpy(), first)


def test_the_target_of_an_image_does_not_depend_on_its_batch():
    wave = placed(waves()["radial"])
    whole = wave.smooth(tf.constant(IMAGES), tf.constant(ONE_HOT)).numpy()
    part = wave.smooth(tf.constant(IMAGES[:7]), tf.constant(ONE_HOT[:7])).numpy()
    np.testing.assert_allclose(whole[:7], part, atol=1e-6)
    published = SmoothingWave(0.2, 0.4, 10, per_batch=True)
    whole = published.smooth(tf.constant(IMAGES), tf.constant(ONE_HOT)).numpy()
    part = published.smooth(tf.constant(IMAGES[:7]), tf.constant(ONE_HOT[:7])).numpy()
    assert not np.allclose(whole[:7], part, atol=1e-3)


def test_mixed_labels_are_smoothed_after_mixing_and_belong_to_a_class_by_weight():
    mixed = 0.7 * ONE_HOT[:2] + 0.3 * ONE_HOT[2:4]
    wave = SmoothingWave(0.4, 0.0, 10)
    ours = wave.smooth(tf.constant(IMAGES[:2]), tf.constant(mixed)).numpy()
    np.testing.assert_allclose(ours, 0.6 * mixed + 0.04, atol=1e-6)
    only = SmoothingWave(0.4, 0.0, 10, noise_class=int(LABELS[0]))
    ours = only.smooth(tf.constant(IMAGES[:1]), tf.constant(mixed[:1])).numpy()
    s = 0.4 * mixed[0, LABELS[0]]
    np.testing.assert_allclose(ours[0], (1 - s) * mixed[0] + s / 10, atol=1e-6)


def test_cycles_across_the_data(assert_close):
    wave = waves()["direction"]
    projections = IMAGES.reshape(500, -1).astype(float) @ RANDOM.reshape(-1).astype(float)
    assert_close(wave.cycles(wave.coordinates(IMAGES)), 0.4 * 4 * projections.std())
    assert_close(
        frequency_for_cycles(wave.cycles(wave.coordinates(IMAGES)), wave.coordinates(IMAGES)), 0.4
    )
    assert waves()["uniform"].cycles(np.ones(5)) == 0
    with pytest.raises(UserError, match="cycles"):
        frequency_for_cycles(1.0, np.ones(5))


@pytest.mark.parametrize(
    ("frequency", "degrees", "cell"),
    [
        (0, 45, (0, 0)),
        (1, 0, (0, 1)),
        (1, 45, (1, 1)),
        (3, 45, (2, 2)),
        (4, 45, (3, 3)),
        (2, 90, (2, 0)),
    ],
)
def test_a_fourier_direction_is_one_wave_at_the_nearest_cell(frequency, degrees, cell):
    direction, true = fourier_direction(SHAPE, frequency, degrees)
    assert direction.shape == SHAPE
    assert abs(np.linalg.norm(direction) - 1) < 1e-6
    assert abs(true - math.hypot(*cell)) < 1e-12
    for channel in np.moveaxis(direction, -1, 0):
        power = np.abs(np.fft.fft2(channel)) ** 2
        i, j = cell
        there = {(i, j), (-i % 8, -j % 12)}
        inside = sum(power[p] for p in there)
        assert inside / power.sum() > 1 - 1e-6


def test_a_fourier_direction_beyond_the_image_is_refused():
    for frequency, degrees in ((5, 90), (7, 0), (-1, 0)):
        with pytest.raises(UserError, match="spatial_frequency"):
            fourier_direction(SHAPE, frequency, degrees)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, -1.0])
def test_a_power_law_direction_has_its_exponent_and_no_bright_corner(exponent):
    shape = (32, 32, 3)
    direction = power_law_direction(shape, exponent, np.random.default_rng(5))
    assert abs(np.linalg.norm(direction) - 1) < 1e-6
    magnitudes = np.abs(np.fft.fft2(direction[..., 0].astype(np.float64)))
    rho = np.hypot(*np.meshgrid(*[32 * np.fft.fftfreq(32)] * 2))
    inside = (rho > 0) & (np.abs(rho) < 15)
    slope = np.polyfit(np.log(rho[inside]), np.log(magnitudes[inside]), 1)[0]
    assert abs(slope + exponent) < 0.02
    assert magnitudes[0, 0] < 1e-5 * magnitudes.max()
    # The published composites have 71 % and 6.5 % of their energy in the corner.
    assert (direction[0, 0] ** 2).sum() < 0.03
    other = power_law_direction(shape, exponent, np.random.default_rng(6))
    assert abs(np.sum(direction * other)) < 0.9


def test_a_power_law_direction_of_one_pixel_is_refused():
    """It has no frequency but 0, and would be 0 / 0."""
    for channels in (1, 3):
        with pytest.raises(UserError, match="direction: expected images in which it varies"):
            power_law_direction((1, 1, channels), 1.0, np.random.default_rng(0))
    two = power_law_direction((1, 2, 1), 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(two.ravel()), np.sqrt(0.5), rtol=1e-6)


def test_a_direction_that_is_not_a_number_is_refused():
    with pytest.raises(UserError, match="an image of norm 1"):
        SmoothingWave(0.3, 0.1, 10, coordinate="direction", direction=np.full((1, 1, 1), np.nan))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"amplitude": 0.51}, "amplitude: expected 0 to 0.5"),
        ({"amplitude": -0.1}, "amplitude"),
        ({"amplitude": 0.45, "mean": 0.8}, "amplitude: expected 0 to 0.4"),
        ({"amplitude": np.nan}, "finite numbers"),
        ({"frequency": -1.0}, "a frequency of 0 or more"),
        ({"noise_class": 10}, "noise_class: expected -1"),
        ({"coordinate": "direction"}, "an image of norm 1"),
        ({"coordinate": "direction", "direction": 2 * RANDOM}, "an image of norm 1"),
    ],
)
def test_illegal_waves_are_refused(changes, line):
    with pytest.raises(UserError) as caught:
        SmoothingWave(**{"amplitude": 0.3, "frequency": 0.1, "num_classes": 10, **changes})
    assert line in str(caught.value)


def test_uniform_smoothing_may_go_up_to_1():
    assert (
        SmoothingWave(1.0, 0.0, 10, coordinate="none").smoothing(np.ones(500)).tolist()
        == [1.0] * 500
    )


def test_images_of_one_pixel_have_no_power_law_direction():
    with pytest.raises(UserError, match="direction: expected images in which it varies"):
        power_law_direction((1, 1, 1), 1.0, np.random.default_rng(0))
    with pytest.raises(UserError, match="direction: expected an image of norm 1"):
        SmoothingWave(0.3, 0.1, 10, coordinate="direction", direction=np.full(SHAPE, np.nan))
