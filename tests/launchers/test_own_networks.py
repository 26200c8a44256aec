"""Pages that measure networks of somebody: what these want and give is said, seen and recorded."""

import json

import keras
import numpy as np
import pytest
from boards import assert_board, boards, value
from conftest import assert_refused, launch

from spectral_tf import data
from spectral_tf.records import read_table

L = keras.layers
SMALL = ["--dataset=digits", "--pairs=3", "--between_pairs=1", "--drawn=2"]


@pytest.fixture(scope="module")
def own(tmp_path_factory, embedded_dir):
    """Layers of a network that has learned digits from pixels in [0, 1], and files of it."""
    folder = tmp_path_factory.mktemp("own")
    pixels, labels = data.find_images("digits", data_dir=str(embedded_dir)).arrays()
    keras.utils.set_random_seed(0)
    layers = [L.Flatten(), L.Dense(16, "relu"), L.Dense(10)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.fit(data.to_unit(pixels), labels, epochs=8, batch_size=64, verbose=0)
    model.save(folder / "unit.keras")

    def saved(name, *first, last=()):
        several = keras.Sequential([keras.Input((8, 8, 1)), *first, *layers, *last])
        several.save(folder / name)

    saved("bytes.h5", L.Rescaling(1 / 255))
    saved("softmax.keras", L.Rescaling(1 / 255), last=[L.Softmax()])
    saved("sigmoids.keras", last=[L.Activation("sigmoid")])
    model.export(folder / "exported", verbose=False)
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, keras.ops.softmax(model(inputs))).save(folder / "ops.keras")
    regular = L.Dense(10, kernel_regularizer="l2")
    keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), regular]).save(folder / "l2.keras")
    (folder / "layers_of_mine.py").write_text(
        "import keras\n\n\nclass Twice(keras.layers.Layer):\n"
        "    def call(self, x):\n        return 2 * x\n\n\n"
        "def half(x):\n    return x / 2\n"
    )
    space = {"__name__": "layers_of_mine"}
    exec((folder / "layers_of_mine.py").read_text(), space)
    saved("custom.keras", space["Twice"]())
    return folder


def run(page, folder, embedded_dir, *flags):
    result = launch(page, f"--data_dir={embedded_dir}", f"--workdir={folder}", *flags)
    assert result.returncode == 0, result.stderr
    return result


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


def record(path):
    return json.loads((path / "environment.json").read_text())["data"]


@pytest.fixture(scope="module")
def measured(own, embedded_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("measured") / "run"
    flags = [*SMALL, f"--from_run={own / 'unit.keras'}", "--normalisation=unit"]
    return path, run("interpolation", path, embedded_dir, *flags)


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("bytes.h5", ["--normalisation=bytes"]),
        ("exported", ["--normalisation=unit"]),
        ("softmax.keras", ["--normalisation=bytes", "--outputs=probabilities"]),
        ("custom.keras", ["--normalisation=MINE:half", "--import=MINE"]),
    ],
)
def test_one_function_of_the_pixels_has_the_same_tables(
    name, flags, measured, own, embedded_dir, tmp_path
):
    flags = [flag.replace("MINE", str(own / "layers_of_mine.py")) for flag in flags]
    result = run(
        "interpolation", tmp_path, embedded_dir, *SMALL, f"--from_run={own / name}", *flags
    )
    assert "first_look" not in result.stderr  # No warning.
    for table in ("paths", "networks", "measures"):
        ours, theirs = (columns(path, table) for path in (tmp_path, measured[0]))
        assert ours.keys() == theirs.keys()
        for column, values in ours.items():
            if values.dtype.kind == "f":
                # What changes with the rounding of single samples: steps between logits.
                np.testing.assert_allclose(values, theirs[column], rtol=1e-2, atol=1e-3)
            elif not column.endswith("method"):
                np.testing.assert_array_equal(values, theirs[column])
    assert record(tmp_path)["inputs"]["range"] == flags[0].partition("=")[2]
    assert ("imports_sha256" in record(tmp_path)) == (name == "custom.keras")


def test_a_saved_network_in_tensorboard_has_flags_hparams_and_its_numbers(measured):
    path, _ = measured
    assert_board(path, "interpolation")
    ((_, board),) = boards(path)
    text = value(board, "flags").item().decode()
    assert "| normalisation | unit |" in text
    assert "import" not in text  # What was not said is no setting.
    for pair_type in ("within", "between"):
        assert f"headline/means/{pair_type}/all/dft_share" in board.summary_metadata


def test_a_first_look_warns_before_anything_is_measured(own, embedded_dir, tmp_path):
    result = run(
        *("fourier_sensitivity", tmp_path, embedded_dir, "--dataset=digits", "--num_images=20"),
        *(f"--from_run={own / 'bytes.h5'}", "--normalisation=unit", "--signs=plus"),
    )
    lines = result.stderr.splitlines()
    (still,) = (i for i, line in enumerate(lines) if "outputs hardly vary over 360" in line)
    first = min(i for i, line in enumerate(lines) if "is measured" in line)
    assert still < first
    assert "--normalisation says what it wants (bytes, " in lines[still]
    look = record(tmp_path)["first_look"]
    assert look["warnings"][0] in lines[still]
    assert 0 <= look["accuracy"] < 0.35


@pytest.mark.long
def test_independent_sigmoids_are_measured_as_what_they_are(own, embedded_dir, tmp_path):
    flags = [f"--from_run={own / 'sigmoids.keras'}", "--normalisation=unit", "--outputs=sigmoids"]
    run("interpolation", tmp_path / "paths", embedded_dir, *SMALL, *flags)
    summary = json.loads((tmp_path / "paths" / "summary.json").read_text())
    assert summary["networks"]["accuracy"][0] > 0.8
    assert record(tmp_path / "paths")["outputs"] == "sigmoids"
    few = ["--dataset=digits", "--num_images=20", "--signs=plus"]
    run("fourier_sensitivity", tmp_path / "plane", embedded_dir, *few, *flags)


@pytest.mark.long
def test_features_of_a_network_that_rescales_are_those_of_the_plain_one(
    own, embedded_dir, tmp_path
):
    tables = []
    for name, wants in (("unit.keras", "unit"), ("bytes.h5", "bytes")):
        run(
            *("class_diversity", tmp_path / name, embedded_dir, "--dataset=digits", "--pairs=3"),
            *(f"--from_run={own / 'softmax.keras'}", "--normalisation=bytes"),
            *("--outputs=probabilities", "--classes=0,1,2,3"),
            *(f"--features={own / name}", f"--features_normalisation={wants}"),
        )
        tables.append(columns(tmp_path / name, "classes"))
        assert record(tmp_path / name)["features_first_look"]["warnings"] == []
    assert np.ptp(tables[0]["feature_variance"].astype(float)) > 0
    for name, values in tables[0].items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, tables[1][name], rtol=1e-3)


@pytest.mark.long
def test_a_teacher_is_called_as_it_wants(own, embedded_dir, tmp_path):
    """What students learn of one function is one, whatever file and range it comes in."""
    tables = []
    for name, flags in (
        ("exported", ["--teacher_normalisation=unit"]),
        ("softmax.keras", ["--teacher_normalisation=bytes", "--teacher_outputs=probabilities"]),
    ):
        run(
            *("noise_fitting", tmp_path / name, embedded_dir, "--dataset=digits", "--width=4"),
            *("--num_epochs=1", "--train_size=300", "--cycles=1", "--seeds=1"),
            *(f"--teacher={own / name}", *flags),
        )
        tables.append(columns(tmp_path / name, "epochs"))
        assert len(record(tmp_path / name)["teacher_sha256"]) == 64
    for name in ("clean_loss", "noise_fitting", "accuracy"):
        np.testing.assert_allclose(tables[0][name], tables[1][name], rtol=1e-3, atol=1e-4)


MISTAKES = {
    "interpolation": {
        "--from_run=OWN/unit.keras --normalisation=byte": "--normalisation: expected one of",
        "--from_run=OWN/unit.keras --normalisation=bytes,channels_first": (
            "--normalisation: expected channels_last, of a network with inputs (8, 8, 1)"
        ),
        "--from_run=OWN/unit.keras --normalisation=unit,bgr": "three channels for bgr, got 1",
        "--from_run=OWN/unit.keras --normalisation=none:f": "none (not found)",
        "--from_run=OWN/sigmoids.keras --normalisation=unit": "say --outputs=sigmoids",
        "--from_run=OWN/custom.keras": "with the class Twice; name the module that defines it: "
        "--import=layers_of_mine",
        "--from_run=OWN/custom.keras --import=nothing": "--import: expected modules that can be",
        "--from_run=OWN/exported --along=gradient --between_pairs=3": (
            "--along=gradient: expected a network with its layers"
        ),
        "--from_run=OWN/layers_of_mine.py": "--from_run: expected a .keras file",
        "--model=OWN/exported": "--model: expected a network that can be trained",
    },
    "class_diversity": {
        "--from_run=OWN/unit.keras --features=OWN/exported": (
            "--features: expected a network with its layers, whose last but one"
        ),
        "--features_normalisation=unit": "--features_normalisation: expected a file in --features",
    },
    "noise_fitting": {
        "--model=OWN/ops.keras": "--model: expected a model that ends in logits",
        "--model=OWN/sigmoids.keras": "--model: expected a model that ends in logits",
        "--model=OWN/l2.keras": "no losses of its own, got",
        "--teacher_outputs=logits": "--teacher_outputs: expected a --teacher, got none",
        "--teacher=OWN/softmax.keras --teacher_normalisation=bytes": "say --teacher_outputs=",
        "--teacher=OWN/sigmoids.keras --teacher_normalisation=unit --teacher_outputs=sigmoids": (
            "independent sigmoids"
        ),
    },
}


@pytest.mark.long
@pytest.mark.parametrize("page", MISTAKES)
def test_mistakes_get_one_line(page, own, embedded_dir, tmp_path):
    base = ["--dataset=digits", f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    base += ["--pairs=3"] * (page != "noise_fitting")
    for flags, line in MISTAKES[page].items():
        given = flags.replace("OWN", str(own)).split()
        assert_refused(launch(page, *base, *given), line)
    assert not (tmp_path / "run").exists()
