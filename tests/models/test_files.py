"""Files that people have: what is read, and what is said of the rest."""

import json
import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.models import files

L = keras.layers
X = np.random.default_rng(0).uniform(size=(5, 4, 4, 3)).astype(np.float32)

# A layer of somebody, registered or not; a name of its own in every test, as Keras' registry is
# one for the process.
LAYER = """
import keras
{register}
class {name}(keras.layers.Layer):
    def __init__(self, by=1.0, **rest):
        super().__init__(**rest)
        self.by = by
    def call(self, x):
        return x * self.by
    def get_config(self):
        return {{**super().get_config(), "by": self.by}}
"""


def network(*first, last=()):
    return keras.Sequential([keras.Input((4, 4, 3)), *first, L.Flatten(), L.Dense(3), *last])


def written(folder, name, register="", module="layers_of"):
    """A module with a layer of this name."""
    file = folder / f"{module}_{name}.py"
    file.write_text(LAYER.format(name=name, register=register))
    return file


def with_layer(file, name, path):
    """Saves a network with the layer, which doubles, and forgets it again."""
    space = {"__name__": file.stem}
    before = dict(keras.saving.get_custom_objects())
    exec(file.read_text(), space)
    model = network(space[name](2.0))
    model.save(path)
    known = keras.saving.get_custom_objects()
    for key in known.keys() - before.keys():
        del known[key]
    return model


def refused(path, line):
    with pytest.raises(UserError) as caught:
        files.load("--from_run", path)
    assert str(caught.value).startswith("--from_run: expected")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def newer(tmp_path):
    """A file of a Keras to come, with a layer that this one does not have."""
    network().save(tmp_path / "now.keras")
    with (
        zipfile.ZipFile(tmp_path / "now.keras") as old,
        zipfile.ZipFile(tmp_path / "new.keras", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                content = json.dumps({"keras_version": "4.2.0"}).encode()
            if name == "config.json":
                content = content.replace(b'"Flatten"', b'"Flatter"')
            new.writestr(name, content)
    return tmp_path / "new.keras"


def test_three_kinds_of_files_give_one_function(tmp_path):
    model = network()
    for name in ("model.keras", "model.h5", "model.hdf5"):
        model.save(tmp_path / name)
    model.export(tmp_path / "exported", verbose=False)
    assert files.is_saved_model(tmp_path / "exported")
    for name in ("model.keras", "model.h5", "model.hdf5", "exported"):
        read = files.load("--from_run", tmp_path / name)
        np.testing.assert_allclose(read(X, training=False), model(X), rtol=1e-5, atol=1e-6)
        assert files.input_shape(read) == (4, 4, 3)
        assert files.output_shape(read, (4, 4, 3)) == (3,)
    assert read.trainable_variables == []


def test_a_subclassed_model_tells_its_shapes_as_far_as_it_knows():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3)

        def call(self, x):
            return self.dense(keras.ops.mean(x, axis=(1, 2)))

    model = Mine()
    assert files.input_shape(model) is None
    model(X)
    assert files.input_shape(model) == (4, 4, 3)
    assert files.output_shape(model, (4, 4, 3)) == (3,)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("none.keras", None, "no such file"),
        ("bad.keras", b"no zip", "damaged, or another format"),
        ("mine.pt", b"PK", "(PyTorch)"),
        ("mine.onnx", b"", "(ONNX)"),
        ("saved_model.pb", b"", "(one graph of TensorFlow)"),
        ("mine.txt", b"", "no such ending"),
        ("bad.h5", b"no hdf5", "damaged, or another format"),
    ],
)
def test_other_files_are_called_what_they_are(name, content, line, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, line)


def test_weights_alone_and_a_wrong_ending_are_called_what_they_are(tmp_path):
    model = network()
    model.save_weights(tmp_path / "mine.weights.h5")
    refused(tmp_path / "mine.weights.h5", "weights alone, without their network")
    model.save(tmp_path / "mine.h5")
    (tmp_path / "mine.h5").rename(tmp_path / "mine.keras")
    refused(tmp_path / "mine.keras", "rename it to end in .h5")


def test_a_file_of_another_keras_names_both_versions(newer):
    refused(newer, f"written by Keras 4.2.0, this is Keras {keras.__version__}")


def test_several_inputs_or_outputs_are_one_line(tmp_path):
    one, two = keras.Input((2,)), keras.Input((2,))
    keras.Model([one, two], L.Dense(2)(one + two)).save(tmp_path / "inputs.keras")
    refused(tmp_path / "inputs.keras", "with 2 inputs")
    keras.Model(one, [L.Dense(2)(one), L.Dense(3)(one)]).save(tmp_path / "outputs.keras")
    refused(tmp_path / "outputs.keras", "with 2 outputs")
    assert len(files.read("--from_run", tmp_path / "inputs.keras").inputs) == 2


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    ("name", "register"),
    [("Registered", "@keras.saving.register_keras_serializable('mine')"), ("Bare", "")],
)
def test_a_layer_of_somebody_wants_its_module(name, register, ending, tmp_path, monkeypatch):
    name += ending.capitalize()
    file, path = written(tmp_path, name, register), tmp_path / f"model.{ending}"
    model = with_layer(file, name, path)
    refused(path, f"{'class' if ending == 'keras' else 'layer'}")
    refused(path, f" {name}; name the module that defines it: --import=")
    if ending == "keras":
        refused(path, f"--import={file.stem}")
    monkeypatch.chdir(tmp_path)
    files.import_modules([file.stem])  # By its name, from the working directory.
    np.testing.assert_allclose(files.load("--from_run", path)(X), model(X), rtol=1e-6)
    assert not np.allclose(model(X), network()(X))


def test_a_module_by_its_path_is_imported_once_and_takes_no_place(tmp_path):
    file = written(tmp_path, "ByPath", module="json")
    file = file.rename(tmp_path / "json.py")
    with_layer(file, "ByPath", tmp_path / "model.keras")
    files.import_modules([str(file)])
    known = keras.saving.get_custom_objects()["ByPath"]
    files.import_modules([str(file)])
    assert keras.saving.get_custom_objects()["ByPath"] is known
    assert sys.modules["json"] is json
    files.load("--from_run", tmp_path / "model.keras")


def test_a_bare_name_of_two_modules_is_none(tmp_path):
    one, two = (written(tmp_path, "Twice", module=module) for module in ("one", "two"))
    with_layer(one, "Twice", tmp_path / "model.keras")
    files.import_modules([str(one), str(two)])
    refused(tmp_path / "model.keras", "Twice")


def test_missing_and_failing_modules_are_one_line(tmp_path):
    (tmp_path / "fails.py").write_text("raise RuntimeError('mine')")
    for name, line in {
        "not_there_at_all": "not_there_at_all (not found)",
        "no.such.module": "no.such.module (not found)",
        "no name": "no name of a module",
        str(tmp_path / "none.py"): "no such file",
    }.items():
        with pytest.raises(UserError, match="import: expected modules") as caught:
            files.refuse_missing_modules([name])
        assert line in str(caught.value)
    files.refuse_missing_modules([str(tmp_path / "fails.py"), "json"])
    with pytest.raises(UserError, match="without an error, got RuntimeError: mine"):
        files.import_modules([str(tmp_path / "fails.py")])


def test_a_lambda_is_refused_unless_a_module_says_that_files_are_trusted(tmp_path):
    network(L.Lambda(lambda x: 2 * x)).save(tmp_path / "model.keras")
    refused(tmp_path / "model.keras", "with a Lambda layer, whose Python would be run")
    refused(tmp_path / "model.keras", "call keras.config.enable_unsafe_deserialization() in a")
    (tmp_path / "trusted.py").write_text(
        "import keras\nkeras.config.enable_unsafe_deserialization()\n"
    )
    code = (
        "from spectral_tf.models import files; files.import_modules(['trusted']); "
        "print(type(files.load('--from_run', 'model.keras').layers[0]).__name__)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert told.stdout.strip() == "Lambda", told.stderr


def test_a_digest_is_of_all_that_decides_the_numbers(tmp_path):
    model = network()
    model.export(tmp_path / "one", verbose=False)
    first = files.digest(tmp_path / "one")
    assert first == files.digest(tmp_path / "one")
    (weights,) = (tmp_path / "one" / "variables").glob("*.data*")
    weights.write_bytes(weights.read_bytes()[::-1])
    assert files.digest(tmp_path / "one") != first
    module = pathlib.Path(tmp_path / "mine.py")
    module.write_text("a = 1")
    before = files.modules_digest([str(module)])
    module.write_text("a = 2")
    assert files.modules_digest([str(module)]) != before


def test_a_function_is_named_by_its_module(tmp_path):
    (tmp_path / "mine.py").write_text("def half(x):\n    return x / 2\n")
    assert files.function_of(f"{tmp_path / 'mine.py'}:half", "normalisation")(3.0) == 1.5
    with pytest.raises(UserError, match=r"normalisation: expected a function of .*, got other"):
        files.function_of(f"{tmp_path / 'mine.py'}:other", "normalisation")
