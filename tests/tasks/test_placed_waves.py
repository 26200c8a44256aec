import math

import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.tasks import ask_waves, place_waves, still_wave

SHAPE = (8, 8, 1)
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.normal(size=(300, *SHAPE)), RNG.integers(3, size=300)


def batches(images=IMAGES, labels=LABELS, size=70):
    return ((images[i : i + size], labels[i : i + size]) for i in range(0, len(images), size))


def still(noise_class=-1):
    return lambda coordinate, place: still_wave(
        *(coordinate, SHAPE, np.random.default_rng(1)),
        amplitude=0.3,
        num_classes=3,
        place=place,
        noise_class=noise_class,
    )


def place(asked, augmented=IMAGES, noise_class=-1):
    return place_waves(
        asked,
        still(noise_class),
        plain=batches(),
        augmented=batches(augmented),
        held_out=batches(IMAGES[:100] + 1, LABELS[:100]),
    )


def test_every_frequency_goes_along_every_direction_and_the_control_comes_last():
    waves = ask_waves("fourier", cycles=[1, 2], frequencies=[0.5], places=[1.41, 4])
    assert [(w.place, w.kind, w.value) for w in waves] == [
        *((p, *v) for p in (1.41, 4) for v in (("cycles", 1), ("cycles", 2), ("frequency", 0.5))),
        (0.0, "control", 0.0),
    ]
    assert len({w.name for w in waves}) == 7
    assert [w.name for w in ask_waves("uniform", cycles=[1])] == ["uniform"]


def test_no_frequency_and_one_twice_are_refused():
    with pytest.raises(UserError, match="--cycles: expected numbers above 0"):
        ask_waves("radial")
    with pytest.raises(UserError, match="got radial_cycles_1 twice"):
        ask_waves("radial", cycles=[1, 1.0000001])


def test_a_wave_lies_on_the_plain_images_and_the_scales_of_all_are_told(assert_close):
    (wave, control), labels, measured = place(ask_waves("radial", cycles=[2]), 2 * IMAGES)
    norms = np.linalg.norm(IMAGES.reshape(300, -1), axis=1)
    assert_close(wave.smoothing.phase, norms.mean())
    assert_close(wave.smoothing.frequency, 2 / (4 * norms.std()))
    assert wave.cycles == 2
    assert_close([wave.mean, wave.deviation], [norms.mean(), norms.std()])
    assert_close(
        [wave.augmented_mean, wave.augmented_deviation], [2 * wave.mean, 2 * wave.deviation]
    )
    held = np.linalg.norm((IMAGES[:100] + 1).reshape(100, -1), axis=1)
    assert_close([wave.held_out_mean, wave.held_out_deviation], [held.mean(), held.std()])
    assert_close(wave.levels, wave.smoothing.smoothing(held))
    assert_close(control.levels, np.full(100, 0.3))
    np.testing.assert_array_equal(labels, LABELS[:100])
    assert measured.all()
    assert math.isnan(wave.image_frequency)
    assert (str(wave), str(control)) == ("2 cycles", "uniform")


def test_a_noise_class_is_measured_alone():
    (wave, _), _, measured = place(ask_waves("radial", cycles=[2]), noise_class=1)
    np.testing.assert_array_equal(measured, LABELS[:100] == 1)
    assert len(wave.levels) == measured.sum()
    assert wave.levels.std() > 0.1
    labels = np.zeros(100, int)
    with pytest.raises(UserError, match="--noise_class: expected a class with at least 2 held-out"):
        place_waves(
            ask_waves("radial", cycles=[2]),
            still(1),
            plain=batches(),
            augmented=batches(),
            held_out=batches(IMAGES[:100], labels),
        )


def test_a_direction_tells_its_true_place():
    waves, _, _ = place(ask_waves("fourier", cycles=[1], places=[1.5, 4.2]))
    np.testing.assert_allclose([w.image_frequency for w in waves[:2]], [2**0.5, 18**0.5])
    np.testing.assert_allclose([w.cycles for w in waves], [1, 1, 0])
