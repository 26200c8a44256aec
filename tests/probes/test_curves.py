"""Ways between images by their Fourier amplitudes and phases: closed forms and a plain loop."""

import numpy as np
import pytest
import scipy
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from spectral_tf import probes
from spectral_tf.errors import UserError
from spectral_tf.probes import curves

RNG = np.random.default_rng(3)
# The mean of every other channel changes its sign from one end to the other.
FIRST = RNG.normal((1, -1, 0.5), size=(4, 10, 12, 3)).astype(np.float32)
LAST = RNG.normal((1, 1, -0.5), size=(4, 10, 12, 3)).astype(np.float32)
T = np.linspace(0, 1, 7)
FOURIER = ("amplitude", "phase", "shortest_phase")


def samples(curve, t=T, first=FIRST, last=LAST):
    """Of all paths, [n, len(t), h, w, c]."""
    owner = np.repeat(np.arange(len(first)), len(t)).astype(np.int32)
    along = np.tile(t, len(first)).astype(np.float32)
    ends = tf.constant(np.concatenate([first, last]))
    found = curves.sampler(curve)(ends, owner, along).numpy()
    return found.reshape(len(first), len(t), *first.shape[1:])


def published(first, last, t, curve):
    """One sample of one channel as RobustNets makes it: shifted spectra, a square in the middle."""
    f, g = np.fft.fft2(first.astype(float)), np.fft.fft2(last.astype(float))
    parts = {"amplitude": np.abs, "phase": np.angle}
    mixed, other = (np.fft.fftshift(parts[curve](spectrum)) for spectrum in (f, g))
    h, w = first.shape
    b = int(np.floor(min(h, w) * 0.2))
    rows, columns = (slice(n // 2 - b, n // 2 + b + 1) for n in (h, w))
    mixed[rows, columns] = (1 - t) * mixed[rows, columns] + t * other[rows, columns]
    mixed = np.fft.ifftshift(mixed)
    amplitude, phase = (mixed, np.angle(f)) if curve == "amplitude" else (np.abs(f), mixed)
    return np.real(np.fft.ifft2(amplitude * np.exp(1j * phase)))


@pytest.mark.parametrize("curve", ["amplitude", "phase"])
def test_samples_are_those_of_the_published_code(curve):
    found = samples(curve)
    for i in range(len(FIRST)):
        for j, t in enumerate(T):
            for c in range(3):
                by_hand = published(FIRST[i, ..., c], LAST[i, ..., c], t, curve)
                assert_allclose(found[i, j, ..., c], by_hand, atol=3e-5)


@pytest.mark.parametrize("curve", probes.CURVES)
def test_compiled_and_as_tpus_get_them(curve):
    ends, owner = tf.constant(np.concatenate([FIRST, LAST])), tf.constant([0, 3, 3])
    along = tf.constant([0.0, 0.3, 1.0])
    plain = curves.sampler(curve).python_function(ends, owner, along)
    assert_allclose(curves.sampler(curve)(ends, owner, along), plain, atol=2e-5)
    assert_array_equal(plain[0], FIRST[0])  # To the last bit.


def waves(height, width, numbers, rng):
    """An image of waves with these numbers of cycles down and right, random sizes and phases."""
    y, x = np.mgrid[:height, :width]
    return sum(
        rng.uniform(0.5, 2) * np.cos(2 * np.pi * (i * y / height + j * x / width + rng.uniform()))
        for i, j in numbers
    )


def test_the_shortest_way_of_the_phases_of_a_shifted_image_is_its_shifts():
    """Up to 2 cycles on 20 pixels, shifted by 1 and 3 pixels: no phase moves by pi."""
    numbers = [(0, 0), (1, 0), (0, 2), (2, 1), (1, -2), (2, 2)]
    image = waves(20, 20, numbers, np.random.default_rng(1))
    y, x = np.mgrid[:20, :20]

    def shifted(by):
        rng = np.random.default_rng(1)  # The same sizes and phases.
        return sum(
            rng.uniform(0.5, 2)
            * np.cos(2 * np.pi * (i * (y - by[0]) / 20 + j * (x - by[1]) / 20 + rng.uniform()))
            for i, j in numbers
        )

    assert_allclose(shifted((1, 3)), np.roll(image, (1, 3), axis=(0, 1)), atol=1e-12)
    ends = [a[None, ..., None].astype(np.float32) for a in (image, shifted((1, 3)))]
    found = samples("shortest_phase", T, *ends)[0, ..., 0]
    for t, sample in zip(T, found, strict=True):
        assert_allclose(sample, shifted((t, 3 * t)), atol=3e-5)
    # The published way is another one here: phases that pass pi take the long way.
    assert np.abs(samples("phase", T, *ends)[0, 3, ..., 0] - found[3]).max() > 0.1
    # An image without a shift stays what it is.
    still = samples("shortest_phase", T, ends[0], ends[0])
    assert_allclose(still[0], np.repeat(ends[0], len(T), axis=0), atol=1e-5)


@pytest.mark.parametrize("curve", ["amplitude", "shortest_phase"])
def test_ways_of_shifted_images_are_shifted_ways(curve):
    moved = [np.roll(end, (3, 5), axis=(1, 2)) for end in (FIRST, LAST)]
    expected = np.roll(samples(curve), (3, 5), axis=(2, 3))
    assert_allclose(samples(curve, T, *moved), expected, atol=3e-5)


@pytest.mark.parametrize("curve", FOURIER)
def test_what_is_not_in_the_window_stays(curve):
    inside = curves.window(10, 12)
    assert inside.sum() == 25  # |k| up to 2 of 10 and 12 pixels.
    assert [inside[0, 0], inside[-2, 2], inside[3, 0]] == [True, True, False]
    assert curves.window(32, 32).sum() == 13 * 13
    before = np.fft.fft2(FIRST, axes=(1, 2))
    after = np.fft.fft2(samples(curve)[:, -1], axes=(1, 2))
    assert_allclose(after[:, ~inside], before[:, ~inside], atol=3e-4)
    wanted = np.fft.fft2(LAST, axes=(1, 2))
    taken = np.abs if curve == "amplitude" else lambda f: f / np.abs(f)
    kept = (lambda f: f / np.abs(f)) if curve == "amplitude" else np.abs
    assert_allclose(taken(after[:, inside]), taken(wanted[:, inside]), rtol=1e-3, atol=1e-3)
    assert_allclose(kept(after[:, inside]), kept(before[:, inside]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("curve", probes.CURVES)
def test_lengths_are_those_of_many_small_steps(curve):
    fine = samples(curve, np.linspace(0, 1, 401)).astype(float)
    scale = np.array([0.5, 1.0, 3.0])
    for factor in (1.0, scale):
        steps = np.diff(fine * factor, axis=1).reshape(len(fine), 400, -1)
        by_hand = np.linalg.norm(steps, axis=-1).sum(axis=-1)
        found = probes.curve_lengths(FIRST, LAST, curve, factor)
        # Rounding of float32 makes a rough way of a smooth one.
        assert_allclose(found, by_hand, rtol=2e-3)


def test_the_length_where_only_a_mean_changes_its_sign():
    """From A to -A as A cos(pi t): the way is 2 A by pixel, sqrt(h w) of them."""
    ones = np.ones((1, 8, 6, 1))
    for curve in ("phase", "shortest_phase"):
        found = probes.curve_lengths(0.7 * ones, -2 * ones, curve)
        assert_allclose(found, 2 * 0.7 * np.sqrt(48))
    assert_allclose(probes.curve_lengths(0.7 * ones, -2 * ones, "amplitude"), 1.3 * np.sqrt(48))
    assert_allclose(scipy.special.ellipe(1), 1)


@pytest.mark.parametrize("curve", ["amplitude", "phase"])
def test_paths_in_fourier_space_are_measured_like_others(curve):
    """Inputs of a model along them, whatever the batches; lengths in both spaces."""
    images = np.concatenate([FIRST, LAST])
    pairs = probes.Pairs(np.array([0, 1, 2]), np.array([4, 5, 6]))
    deviation = np.array([0.5, 0.25, 2.0])

    def prepare(pixels):
        return (tf.cast(pixels, tf.float32) - 0.3) / deviation.astype(np.float32)

    prepared = np.asarray(prepare(images))
    given = (prepared[pairs.first], prepared[pairs.last])
    settings = {"curve": curve, "deviation": deviation}
    paths = probes.fourier_paths(images, pairs, prepare, unit=0.7, **settings)
    lengths = probes.curve_lengths(*given, curve)
    assert_allclose(paths.distances, lengths)
    assert_allclose(paths.pixel_distances, probes.curve_lengths(*given, curve, deviation))
    assert_array_equal(paths.counts, np.round(lengths / 0.7) + 1)
    some = probes.fourier_paths(images, pairs, prepare, num_samples=7, **settings).of([2, 0])
    assert some.curve == curve
    found = list(probes.path_logits(lambda x: x, images, some, prepare, batch_size=5))
    ends = (prepared[:4], np.concatenate([prepared[4:7], prepared[:1]]))
    expected = samples(curve, T, *ends)
    for i, row in zip((2, 0), found, strict=True):
        assert_allclose(row, expected[i], atol=2e-5)


def test_mistakes_get_one_line():
    pairs = probes.Pairs(np.array([0]), np.array([1]))
    same = np.stack([FIRST[0], FIRST[0]])
    # What differs lies beyond the window.
    y = np.mgrid[:10, :12][0]
    high = FIRST[0] + 0.1 * np.cos(np.pi * y)[..., None].astype(np.float32)
    for images in (same, np.stack([FIRST[0], high])):
        with pytest.raises(UserError, match="low Fourier phases of two images: expected some"):
            probes.fourier_paths(images, pairs, curve="shortest_phase")
    with pytest.raises(UserError, match="curve: expected straight or amplitude"):
        probes.fourier_paths(same, pairs, curve="sideways")
    with pytest.raises(UserError, match="num_samples: expected at least 4"):
        probes.fourier_paths(same, pairs, curve="phase", num_samples=3)
