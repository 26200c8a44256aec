import numpy as np
import pytest

from spectral_tf.data import embedded, find_images, to_unit

NAMES = sorted(embedded.PHOTOGRAPHS)
SIDE = 40


def lattice(name):
    """Numbers of the test and the training squares of a photograph, counted one by one."""
    height, width, channels = embedded.PHOTOGRAPHS[name]().shape
    assert channels == 3
    squares = {"test": [], "train": []}
    for row in range(height // SIDE):
        for column in range(width // SIDE):
            split = "test" if (2 * row + column) % 5 in (0, 2) else "train"
            squares[split].append(row * (width // SIDE) + column)
    return squares


@pytest.mark.parametrize("name", NAMES)
def test_training_and_test_crops_share_no_pixel(name):
    photograph = embedded.PHOTOGRAPHS[name]()
    assert photograph.dtype == np.uint8
    height, width, _ = photograph.shape
    seen = {}
    for split, number in embedded.CROPS.items():
        drawn = embedded.crops(photograph, split, 7)
        assert drawn.pixels.shape == (number, 32, 32, 3)
        mask = np.zeros((height, width), bool)
        for pixels, (y, x) in zip(drawn.pixels, drawn.corners, strict=True):
            np.testing.assert_array_equal(pixels, photograph[y : y + 32, x : x + 32])
            mask[y : y + 32, x : x + 32] = True
        seen[split] = mask
    assert not np.any(seen["train"] & seen["test"])
    # Both are spread over the picture, not two halves of it.
    for mask in seen.values():
        rows, columns = np.nonzero(mask)
        assert np.ptp(rows) > height / 2
        assert np.ptp(columns) > width / 2


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_crops_are_spread_evenly_over_the_squares_of_their_split(name, split):
    photograph = embedded.PHOTOGRAPHS[name]()
    drawn = embedded.crops(photograph, split, 7)
    own, columns = lattice(name)[split], photograph.shape[1] // SIDE
    numbers, counts = np.unique(drawn.squares, return_counts=True)
    assert set(numbers) <= set(own)
    assert len(numbers) == min(len(own), len(drawn.squares))
    assert np.ptp(counts) <= 1
    within = drawn.corners - SIDE * np.stack(np.divmod(drawn.squares, columns), axis=-1)
    assert within.min() == 0  # All places are taken.
    assert within.max() == SIDE - 32
    assert len({*map(tuple, drawn.corners)}) == len(drawn.corners)
    again, other = (embedded.crops(photograph, split, seed) for seed in (7, 8))
    np.testing.assert_array_equal(again.corners, drawn.corners)
    assert not np.array_equal(other.corners, drawn.corners)


def test_the_squares_are_as_many_as_the_docstring_says():
    text = " ".join(embedded.PhotoPatches.__doc__.split())
    for split, words in (("test", "test squares"), ("train", "training squares")):
        numbers = [len(lattice(name)[split]) for name in NAMES]
        smallest, median, largest = min(numbers), np.median(numbers), max(numbers)
        assert smallest >= 30
        assert f"{smallest} to {largest} {words} (median {median:g})" in text


def test_the_label_is_the_photograph_and_classes_are_even(embedded_dir):
    images = find_images("photo_patches", data_dir=str(embedded_dir))
    assert images.shape == (32, 32, 3)
    assert images.label_names == tuple(NAMES)
    pixels, labels = images.arrays()
    np.testing.assert_array_equal(np.bincount(labels), [1_000] * 10)
    for label, name in enumerate(images.label_names):
        expected = embedded.crops(embedded.PHOTOGRAPHS[name](), "train", label).pixels
        ours = {image.tobytes() for image in pixels[labels == label]}
        assert ours == {crop.tobytes() for crop in expected}, name


@pytest.mark.parametrize("split", ["train", "test"])
def test_stored_crops_lie_in_the_square_they_name(split, embedded_dir):
    """By brute force: among all 81 windows of that square of the photograph."""
    images = find_images("photo_patches", split, data_dir=str(embedded_dir))
    pixels, labels = images.arrays()
    label = images.label_names.index("cat")
    photograph = embedded.PHOTOGRAPHS["cat"]()
    of_cat = labels == label
    for crop, square in zip(pixels[of_cat], images.clusters()[of_cat] - 1_000 * label, strict=True):
        row, column = divmod(square, photograph.shape[1] // SIDE)
        assert ((2 * row + column) % 5 in (0, 2)) == (split == "test")
        block = photograph[SIDE * row :, SIDE * column :][:SIDE, :SIDE]
        windows = np.lib.stride_tricks.sliding_window_view(block, (32, 32), axis=(0, 1))
        same = np.all(windows == crop.transpose(2, 0, 1), axis=(2, 3, 4))
        assert same.shape == (9, 9)
        assert same.sum() == 1


def test_no_square_and_no_crop_is_of_two_classes_or_splits(embedded_dir):
    numbers, crops = [], []
    for split, squares in (("train", 1_104), ("test", 730)):
        images = find_images("photo_patches", split, data_dir=str(embedded_dir))
        pixels, labels = images.arrays()
        clusters = images.clusters()
        assert clusters.dtype == np.int64
        np.testing.assert_array_equal(clusters // 1_000, labels)
        numbers += np.unique(clusters).tolist()
        assert len(np.unique(clusters)) == squares
        crops += [crop.tobytes() for crop in pixels]
    assert len(set(numbers)) == len(numbers) == 1_834
    assert len(set(crops)) == len(crops) == 12_000


def power_slope(patches):
    """Exponent of the mean power spectrum against radial frequency, Hann window, 1.5/32 ... 0.4."""
    window = np.outer(np.hanning(32), np.hanning(32))
    grey = patches.mean(axis=-1)
    grey = (grey - grey.mean(axis=(1, 2), keepdims=True)) * window
    power = np.mean(np.abs(np.fft.fft2(grey)) ** 2, axis=0)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    kept = (radius >= 1.5 / 32) & (radius <= 0.4)
    return np.polyfit(np.log(radius[kept]), np.log(power[kept]), 1)[0]


def test_the_slope_is_measured_rightly():
    rng = np.random.default_rng(0)
    white = rng.normal(size=(400, 64, 64))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    radius[0, 0] = 1
    natural = np.fft.ifft2(np.fft.fft2(white) / radius**1.25).real[:, :32, :32, np.newaxis]
    assert abs(power_slope(white[:, :32, :32, np.newaxis])) < 0.05
    assert abs(power_slope(natural) + 2.5) < 0.2


def test_patches_have_the_spectrum_of_natural_images(embedded_dir):
    pixels, labels = find_images("photo_patches", data_dir=str(embedded_dir)).arrays()
    patches = to_unit(pixels)
    slopes = [power_slope(patches[labels == label]) for label in range(10)]
    # Real CIFAR-10 images have about -2.9 by this measure, single photographs -1.5 to -4.3.
    assert -3.4 < power_slope(patches) < -2.3
    assert all(-4.3 < slope < -1.5 for slope in slopes), slopes
