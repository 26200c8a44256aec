import numpy as np
import pytest
from scipy.io import wavfile

from spectral_tf import tasks

X = np.linspace(0, 2, 21)
Y = np.sin(X)


@pytest.mark.parametrize("separator", [",", ";", "\t", "  ", ", "])
@pytest.mark.parametrize("header", ["", "time,voltage"])
def test_csv_of_any_separator_with_and_without_names(separator, header, tmp_path):
    lines = [header.replace(",", separator)] * bool(header)
    lines += [f"{x!r}{separator}{y!r}" for x, y in zip(X.tolist(), Y.tolist(), strict=True)]
    (tmp_path / "a.csv").write_text("# a comment\n\n" + "\r\n".join(lines) + "\n")
    found = tasks.read_samples(f"csv:{tmp_path}/a.csv")
    np.testing.assert_array_equal(found.positions, X)
    np.testing.assert_array_equal(found.values, Y)
    name = "time" if header else "x"
    assert (found.position_name, found.frequency_unit) == (name, f"cycles per unit of {name}")


def test_samples_are_sorted_and_cut(tmp_path):
    order = np.random.default_rng(0).permutation(21)
    np.savetxt(tmp_path / "a.csv", np.c_[X, Y][order], delimiter=",")
    found = tasks.read_samples(f"csv:{tmp_path}/a.csv")
    np.testing.assert_allclose(found.positions, X)
    np.testing.assert_allclose(found.values, Y)
    for window, kept in {"0.5:1.5": (X >= 0.5) & (X < 1.5), "1:": X >= 1, ":1.0": X < 1}.items():
        found = tasks.read_samples(f"csv:{tmp_path}/a.csv", window)
        np.testing.assert_allclose(found.positions, X[kept])


@pytest.mark.parametrize(
    "names", [("x", "y"), ("positions", "values"), ("time", "values"), ("t", "x")]
)
def test_npz_by_known_names(names, tmp_path):
    arrays = {names[0]: X.astype(np.float32)[:, None], names[1]: (100 * Y).astype(int), "more": X}
    np.savez(tmp_path / "a.npz", **arrays)
    found = tasks.read_samples(f"npz:{tmp_path}/a.npz")
    np.testing.assert_allclose(found.positions, X, rtol=1e-6)
    np.testing.assert_array_equal(found.values, (100 * Y).astype(int))
    assert found.position_name == names[0]


SOUND = np.round(np.sin(np.arange(80) / 7) * 100) / 128  # Multiples of 1/128: exact in 8 bits.


@pytest.mark.parametrize(
    ("dtype", "made"),
    [
        (np.uint8, lambda s: s * 128 + 128),
        (np.int16, lambda s: s * 2**15),
        (np.int32, lambda s: s * 2**31),
        (np.float32, lambda s: s),
        (np.float64, lambda s: s),
    ],
)
def test_wav_of_any_kind_of_numbers_is_between_minus_one_and_one(dtype, made, tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, made(SOUND).astype(dtype))
    found = tasks.read_samples(f"wav:{tmp_path}/a.wav")
    np.testing.assert_array_equal(found.values, SOUND)
    np.testing.assert_array_equal(found.positions, np.arange(80) / 8000)
    assert (found.position_name, found.frequency_unit) == ("time [s]", "Hz")
    assert found.remarks == (f"8,000 samples a second, {np.dtype(dtype)}",)


def test_channels_are_averaged_or_chosen(tmp_path):
    both = np.stack([SOUND, SOUND[::-1]], axis=1)
    wavfile.write(tmp_path / "a.wav", 8000, both)
    mean, second = (tasks.read_samples(f"wav:{tmp_path}/a.wav", None, c) for c in (None, 2))
    np.testing.assert_array_equal(mean.values, both.mean(axis=1))
    np.testing.assert_array_equal(second.values, SOUND[::-1])
    assert "mean of 2 channels" in mean.remarks[0]
    assert "channel 2 of 2" in second.remarks[0]
    with pytest.raises(ValueError, match="target_channel: expected 1 to 2"):
        tasks.read_samples(f"wav:{tmp_path}/a.wav", None, 3)


def csv(text):
    return lambda path: path.write_text(text)


def npz(**arrays):
    return lambda path: np.savez(path.open("wb"), **arrays)


def rows(x, y):
    return csv("".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True)))


WRONG = {
    "one column": ("csv", csv("1\n2\n3\n"), "two columns of numbers.*got 1 column in line 1"),
    "three columns": ("csv", csv("a,b,c\n1,2,3\n"), "got 3 columns in line 1"),
    "a later line of three": ("csv", csv("1,2\n3,4,5\n"), "got 3 columns in line 2: '3,4,5'"),
    "text": ("csv", csv("x,y\n1,2\n3,four\n"), "got line 3: '3,four'; only the first line may"),
    "decimal commas": ("csv", csv("1,5;2,5\n1,6;2,6\n"), "decimals have a point"),
    "nothing": ("csv", csv(""), "at least 8 samples"),
    "a picture": ("csv", lambda p: p.write_bytes(b"\x89PNG\xff\xfe"), "a file of text"),
    "nan": ("csv", rows(X, [*Y[:3], "nan", *Y[4:]]), "finite numbers, got .* as sample 4"),
    "inf": ("npz", npz(x=[*X[:-1], np.inf], y=Y), "finite numbers"),
    "twice": ("csv", rows([*X[:-1], 0.5], Y), "each position once, got 0.5 several times"),
    "few": ("csv", rows(X[:7], Y[:7]), "at least 8 samples, got 7"),
    "constant": ("csv", rows(X, 0 * Y + 0.1), "there is no frequency in a constant"),
    "zero": ("csv", rows(X, 0 * Y), "there is no frequency in a constant"),
    "too large": ("csv", rows(X, Y * 1e200), "can be squared"),
    "no npz": ("npz", csv("1,2"), "an npz file, got another kind"),
    "other names": ("npz", npz(a=X, b=Y), "arrays x and y, got a, b"),
    "images": ("npz", npz(x=np.zeros((9, 4)), y=np.zeros(9)), r"x and y of shape \[n\]"),
    "lengths": ("npz", npz(x=X, y=Y[1:]), "one position for each value"),
    "complex": ("npz", npz(x=X, y=Y + 1j), r"shape \[n\] and real"),
    "pickled": ("npz", npz(x=X, y=np.array([{}] * 21)), "a readable npz file"),
    "no wav": ("wav", csv("1,2"), "a wav file"),
    "long": ("npz", npz(x=np.arange(10_001.0), y=np.arange(10_001)), "at most 10,000 .*=0:10000"),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_do_not_do_get_one_line(name, tmp_path):
    kind, write, told = WRONG[name]
    write(tmp_path / "file")
    with pytest.raises(ValueError, match=told) as caught:
        tasks.read_samples(f"{kind}:{tmp_path}/file")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_or_no_window(tmp_path):
    rows(X, Y)(tmp_path / "file")
    good = f"csv:{tmp_path}/file"
    for target in ("mine.csv", "csv:", "txt:a", "", f"{tmp_path}/file"):
        with pytest.raises(ValueError, match="csv:PATH, npz:PATH or wav:PATH"):
            tasks.read_samples(target)
    with pytest.raises(ValueError, match="a file, got none there"):
        tasks.read_samples("wav:nowhere.wav")
    with pytest.raises(ValueError, match="a file, got a folder"):
        tasks.read_samples(f"csv:{tmp_path}")
    for window in ("1", "2:1", "a:b", "", "1:1", "nan:2"):
        with pytest.raises(ValueError, match="start:stop"):
            tasks.read_samples(good, window)
    with pytest.raises(ValueError, match="some of the positions, 0 to 2"):
        tasks.read_samples(good, "5:6")
    with pytest.raises(ValueError, match="a wav file as target"):
        tasks.read_samples(good, None, 1)


def test_the_window_that_is_proposed_fits(tmp_path):
    npz(x=np.arange(20_000) / 7, y=np.sin(np.arange(20_000.0)))(tmp_path / "file")
    with pytest.raises(ValueError, match="target_window=") as caught:
        tasks.read_samples(f"npz:{tmp_path}/file")
    window = str(caught.value).partition("--target_window=")[2].partition(",")[0]
    found = tasks.read_samples(f"npz:{tmp_path}/file", window)
    assert 9_990 <= len(found.positions) <= 10_000
