import numpy as np
import pytest

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.records.waves import HeldOut, read_held_out, write_held_out

RNG = np.random.default_rng(0)


def held_out(n=300, waves=3, seeds=2):
    s = 0.4 * (1 + np.sin(RNG.uniform(0, 2 * np.pi, size=(waves, n))))
    t = np.clip(0.2 + 0.5 * s[:, None] + RNG.uniform(-0.3, 0.3, size=(waves, seeds, n)), 0.001, 1.1)
    g = spectra.smoothed_log_ratio(np.minimum(t, 1), 10)
    return HeldOut(
        waves=np.array([f"wave_{i}" for i in range(waves)]),
        directions=np.zeros(waves, np.int64),
        smoothing=s.astype(np.float32),
        log_ratios=g.astype(np.float16),
        lowest_log_ratios=(g + 1).astype(np.float16),
        null_log_ratios=g[:1].astype(np.float16),
        lowest_null_log_ratios=(g - 1).astype(np.float16),
        labels=RNG.integers(10, size=n),
        clusters=np.arange(n) // 3,
        images=np.arange(n) * 2,
        num_classes=np.array(10),
    ), g


def test_what_is_written_is_read(tmp_path):
    written, _ = held_out()
    write_held_out(tmp_path / "held_out.npz", written)
    read = read_held_out(tmp_path / "held_out.npz")
    for name in HeldOut._fields:
        a, b = getattr(written, name), getattr(read, name)
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    # Equal predictions make equal files.
    write_held_out(tmp_path / "again.npz", written)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "held_out.npz").read_bytes()


def test_float16_is_enough_for_a_regression_slope_and_nf():
    kept, g = held_out()
    for i, s in enumerate(kept.smoothing):
        exact, rounded = (spectra.wave_fit(m, s, 10) for m in (g[i], kept.log_ratios[i]))
        for name in exact._fields:
            np.testing.assert_allclose(getattr(rounded, name), getattr(exact, name), atol=1e-4)
    # What one image implies, for any log_ratio and number of classes.
    log_ratio = np.linspace(-30, 30, 100_001)
    for num_classes in (2, 10, 1_000):
        away = spectra.implied_smoothing(log_ratio.astype(np.float16), num_classes)
        away -= spectra.implied_smoothing(log_ratio, num_classes)
        assert np.abs(away).max() < 1e-3


def test_some_of_the_images_and_some_of_the_waves():
    kept, _ = held_out()
    some = kept.of(np.array([10, 4, 598]))
    assert some.images.tolist() == [10, 4, 598]
    np.testing.assert_array_equal(some.log_ratios, kept.log_ratios[..., [5, 2, 299]])
    lowest_null = kept.lowest_null_log_ratios
    np.testing.assert_array_equal(some.lowest_null_log_ratios, lowest_null[..., [5, 2, 299]])
    np.testing.assert_array_equal(some.labels, kept.labels[[5, 2, 299]])
    np.testing.assert_array_equal(some.smoothing, kept.smoothing[:, [5, 2, 299]])
    one = kept.only([2])
    assert one.waves.tolist() == ["wave_2"]
    np.testing.assert_array_equal(one.lowest_log_ratios, kept.lowest_log_ratios[2:])
    np.testing.assert_array_equal(one.null_log_ratios, kept.null_log_ratios)
    np.testing.assert_array_equal(one.lowest_null_log_ratios, lowest_null[2:])


LOG_RATIOS = ("log_ratios", "lowest_log_ratios", "null_log_ratios", "lowest_null_log_ratios")


@pytest.mark.parametrize("name", LOG_RATIOS)
def test_log_ratios_are_rounded_and_those_beyond_float16_refused(name, tmp_path):
    kept, _ = held_out()
    wide = getattr(kept, name).astype(np.float64)
    wide[0, 1, 7] = -65_504.0
    wide[0, 0, 0] = 1 + 2**-20
    path = tmp_path / "held_out.npz"
    write_held_out(path, kept._replace(**{name: wide}))
    read = getattr(read_held_out(path), name)
    assert read.dtype == np.float16
    assert (read[0, 1, 7], read[0, 0, 0]) == (-65_504, 1)
    before = path.read_bytes()
    for value, told in ((-65_505.0, "65,505"), (np.inf, "inf"), (np.nan, "nan")):
        wide[0, 1, 7] = value
        with pytest.raises(UserError, match=f"^{name} of .* at most 65,504 .*, got {told}"):
            write_held_out(path, kept._replace(**{name: wide}))
    assert path.read_bytes() == before


def test_a_file_of_before_nulls_had_their_lowest_is_refused(tmp_path):
    kept = held_out()[0]._asdict()
    del kept["lowest_null_log_ratios"]
    np.savez_compressed(tmp_path / "held_out.npz", **kept)
    with pytest.raises(UserError, match="KeyError: .*lowest_null_log_ratios.*another --workdir"):
        read_held_out(tmp_path / "held_out.npz")


@pytest.mark.parametrize("content", [None, b"", b"text", b"PK\x03\x04 damaged"])
def test_a_file_that_is_not_whole_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "held_out.npz").write_bytes(content)
    with pytest.raises(UserError, match="expected the predictions for held-out images"):
        read_held_out(tmp_path / "held_out.npz")
