import math

import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.tasks import ask_waves, orientations, place_waves, still_wave

SHAPE = (8, 8, 1)
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.normal(size=(300, *SHAPE)), RNG.integers(3, size=300)


def batches(images=IMAGES, labels=LABELS, size=70):
    return ((images[i : i + size], labels[i : i + size]) for i in range(0, len(images), size))


def still(noise_class=-1, count=1):
    return lambda coordinate, parameter, direction: still_wave(
        *(coordinate, SHAPE, np.random.default_rng([1, direction])),
        amplitude=0.3,
        num_classes=3,
        direction_parameter=parameter,
        degrees=22.5 + 180 * direction / count if count > 1 else 45.0,
        noise_class=noise_class,
    )


def place(asked, augmented=IMAGES, noise_class=-1, count=1):
    return place_waves(
        asked,
        still(noise_class, count),
        unaugmented=batches(),
        augmented=batches(augmented),
        held_out=batches(IMAGES[:100] + 1, LABELS[:100]),
    )


def test_every_frequency_goes_along_every_direction_and_the_control_comes_last():
    waves = ask_waves("fourier", cycles=[1, 2], frequencies=[0.5], direction_parameters=[1.41, 4])
    assert [(w.direction_parameter, w.kind, w.value) for w in waves] == [
        *((p, *v) for p in (1.41, 4) for v in (("cycles", 1), ("cycles", 2), ("frequency", 0.5))),
        (0.0, "control", 0.0),
    ]
    assert len({w.name for w in waves}) == 7
    assert [w.name for w in ask_waves("uniform", cycles=[1])] == ["uniform"]


def test_every_parameter_has_so_many_directions():
    waves = ask_waves("fourier", cycles=[1, 2], direction_parameters=[1, 4], directions=3)
    assert len({w.name for w in waves}) == 2 * 3 * 2 + 1
    assert [(w.direction_parameter, w.direction) for w in waves[:-1:2]] == [
        (p, d) for p in (1, 4) for d in range(3)
    ]
    assert ask_waves("random", cycles=[1], directions=2)[1].name == "random_cycles_1_direction_1"
    # One direction keeps the names that it has alone.
    assert ask_waves("random", cycles=[1])[0].name == "random_cycles_1"
    for coordinate in ("radial", "uniform"):
        with pytest.raises(UserError, match=f"directions: expected 1, since {coordinate}"):
            ask_waves(coordinate, cycles=[1], directions=2)


def test_directions_are_placed_each_by_itself():
    waves, _, _ = place(
        ask_waves("fourier", cycles=[1], direction_parameters=[2.24], directions=4), count=4
    )
    assert [w.direction for w in waves] == [0, 1, 2, 3, 0]
    np.testing.assert_allclose([w.image_frequency for w in waves[:-1]], 5**0.5)
    directions = np.stack([w.smoothing.direction.ravel() for w in waves[:-1]])
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-6)
    waves, _, _ = place(ask_waves("random", cycles=[1], directions=2))
    first, second = (w.smoothing.direction for w in waves[:-1])
    assert not np.allclose(first, second)


@pytest.mark.parametrize(("frequency", "length"), [(2.24, 5), (4.47, 20), (7.62, 58), (10.77, 116)])
def test_four_orientations_of_one_frequency(frequency, length):
    angles = orientations(frequency, 22.5, 4)
    assert angles == [22.5, 67.5, 112.5, 157.5]
    for angle in angles:
        i, j = (round(frequency * f(math.radians(angle))) for f in (math.sin, math.cos))
        assert i * i + j * j == length


def test_orientations_that_are_one_on_the_lattice_are_refused():
    with pytest.raises(UserError, match=r"got 22.5 and 67.5 degrees, both nearest to \(1, 1\)"):
        orientations(1.41, 22.5, 4)
    with pytest.raises(UserError, match="directions"):
        orientations(0, 0, 2)  # A constant image.
    with pytest.raises(UserError, match="got 13 and 167.286 degrees"):
        orientations(2, 13, 7)  # Opposite points are one orientation.
    assert orientations(1, 0, 2) == [0, 90]
    assert orientations(0, 45, 1) == [45]


def test_no_frequency_and_one_twice_are_refused():
    with pytest.raises(UserError, match="cycles: expected numbers above 0"):
        ask_waves("radial")
    with pytest.raises(UserError, match="got radial_cycles_1 twice"):
        ask_waves("radial", cycles=[1, 1.0000001])


def test_a_wave_lies_on_the_training_images_and_the_scales_of_all_are_told(assert_close):
    (wave, control), labels, measured = place(ask_waves("radial", cycles=[2]), 2 * IMAGES)
    norms = np.linalg.norm(IMAGES.reshape(300, -1), axis=1)
    assert_close(wave.smoothing.phase, norms.mean())
    assert_close(wave.frequency, 2 / (4 * norms.std()))
    assert wave.cycles == 2
    assert_close([wave.mean, wave.std], [norms.mean(), norms.std()])
    assert_close([wave.augmented_mean, wave.augmented_std], [2 * wave.mean, 2 * wave.std])
    held = np.linalg.norm((IMAGES[:100] + 1).reshape(100, -1), axis=1)
    assert_close([wave.held_out_mean, wave.held_out_std], [held.mean(), held.std()])
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
    with pytest.raises(UserError, match="noise_class: expected a class with at least 2 held-out"):
        place_waves(
            ask_waves("radial", cycles=[2]),
            still(1),
            unaugmented=batches(),
            augmented=batches(),
            held_out=batches(IMAGES[:100], labels),
        )


def test_a_direction_tells_its_true_parameter():
    waves, _, _ = place(ask_waves("fourier", cycles=[1], direction_parameters=[1.5, 4.2]))
    np.testing.assert_allclose([w.image_frequency for w in waves[:2]], [2**0.5, 18**0.5])
    np.testing.assert_allclose([w.cycles for w in waves], [1, 1, 0])
