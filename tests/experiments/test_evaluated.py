"""One function of the pixels, whatever the network that computes it wants to see."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf import data, probes
from spectral_tf.data import Inputs
from spectral_tf.errors import UserError
from spectral_tf.experiments import evaluated
from spectral_tf.experiments.datasets import Dataset
from spectral_tf.experiments.saved import Saved, saved_model

L = keras.layers
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(4 * 4 * 3, 3)).astype(np.float32)
KERNEL -= KERNEL.mean(axis=0)  # So that every class is some image's.


def network(*first, shape=(4, 4, 3), kernel=KERNEL, last=()):
    """Logits of pixels in [0, 1] as they come out of the first layers."""
    head = L.Dense(kernel.shape[1], use_bias=False)
    model = keras.Sequential([keras.Input(shape), *first, L.Flatten(), head, *last])
    head.kernel.assign(kernel)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images whose label is what the network says of them."""
    path = tmp_path_factory.mktemp("own")
    arrays = {}
    for end in ("", "_test"):
        x = RNG.integers(0, 256, size=(240, 4, 4, 3), dtype=np.uint8)
        logits = (x / np.float32(255)).reshape(240, -1) @ KERNEL
        arrays |= {f"x{end}": x, f"y{end}": logits.argmax(axis=1)}
    np.savez(path / "own.npz", **arrays)
    (path / "wants.py").write_text("def darker(x):\n    return x**2\n")
    return path


def loaded(folder, model, text, kind="logits", name="model.keras"):
    model.save(folder / name)
    saved = Saved(folder / name, None, None)
    dataset = Dataset(f"npz:{folder / 'own.npz'}")
    given = evaluated.saved_with("--from_run", saved, dataset, text, kind=kind)
    return given.load(tf.distribute.get_strategy())


REVERSED = KERNEL.reshape(4, 4, 3, 3)[:, :, ::-1].reshape(48, 3)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("unit", lambda _: network()),
        ("bytes", lambda _: network(L.Rescaling(1 / 255))),
        ("signed", lambda _: network(L.Rescaling(0.5, 0.5))),
        ("0.25:0.5", lambda _: network(L.Rescaling(0.5, 0.25))),
        ("unit,bgr", lambda _: network(kernel=REVERSED)),
        (
            "channels_first,unit",
            lambda _: network(L.Permute((2, 3, 1)), shape=(3, 4, 4)),
        ),
        ("WANTS:darker", lambda _: network(L.Lambda(lambda x: x**0.5))),
    ],
)
def test_one_function_of_the_pixels_is_measured_alike(text, model, folder, monkeypatch):
    text = text.replace("WANTS", str(folder / "wants.py"))
    kept = model(0)
    monkeypatch.setattr(evaluated.files, "load", lambda *_: kept)  # A Lambda is in no file.
    of = loaded(folder, keras.Sequential([keras.Input((1,)), L.Dense(1)]), text)
    assert of.record["inputs"]["range"] == Inputs.parse(text).range
    assert (of.record["outputs"], of.record["first_look"]["accuracy"]) == ("logits", 1.0)
    assert of.record["first_look"]["warnings"] == []
    pixels, labels = of.held_out.arrays()
    function = of.function(of.model)
    expected = (pixels / np.float32(255)).reshape(240, -1) @ KERNEL
    given = probes.outputs(function, pixels, of.prepare)
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)
    # Distances, samples and so all that is measured are in pixels of [0, 1].
    pairs, _ = probes.class_pairs(labels, range(3), count=3, seed=0)
    paths = probes.straight_paths(pixels, pairs, of.prepare)
    np.testing.assert_allclose(paths.distances, paths.pixel_distances, rtol=1e-6)
    measures = probes.measure_paths(function, pixels, labels, paths, of.prepare).measures
    theirs = probes.measure_paths(
        network(), pixels, labels, paths, data.prepare(data.unit(of.held_out))
    ).measures
    for name, value in measures._asdict().items():
        np.testing.assert_allclose(value, getattr(theirs, name), rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(of.show(of.prepare(pixels)), pixels / 255, atol=1e-6)


def test_the_standard_of_a_data_set_is_the_space_of_its_paths_as_published(folder):
    of = loaded(folder, network(), "standard")
    assert of.function(of.model) is of.model
    pixels = of.held_out.arrays()[0]
    normalisation = data.standard(data.find_images(f"npz:{folder / 'own.npz'}"))
    np.testing.assert_allclose(
        of.prepare(pixels), normalisation.apply(data.to_unit(pixels)), rtol=1e-5, atol=1e-5
    )
    turned = loaded(folder, network(kernel=REVERSED), "standard,bgr")
    given = probes.outputs(turned.function(turned.model), pixels, turned.prepare)
    np.testing.assert_allclose(given, of.model(of.prepare(pixels)), rtol=1e-4, atol=1e-3)


def test_a_wrong_range_is_a_warning_in_log_and_record(folder, caplog):
    with caplog.at_level("WARNING", "absl"):
        of = loaded(folder, network(L.Rescaling(1 / 255)), "unit")
    assert "outputs hardly vary over 240 held-out images" in caplog.text
    assert "--normalisation says what it wants" in caplog.text
    assert len(of.record["first_look"]["warnings"]) >= 1


def refused(folder, model, text, line, kind="logits"):
    with pytest.raises(UserError) as caught:
        loaded(folder, model, text, kind)
    assert line in str(caught.value)


def test_what_does_not_fit_is_one_line(folder):
    first = network(L.Permute((2, 3, 1)), shape=(3, 4, 4))
    refused(folder, first, "unit", "say --normalisation=unit,channels_first")
    refused(folder, network(), "bytes,channels_first", "say --normalisation=bytes,channels_last")
    refused(folder, network(), "0.5:1,0.5:1", "for each of 3 channels")
    wrong = f"{folder / 'wants.py'}:lighter"
    refused(folder, network(), wrong, "expected a function of")
    (folder / "fails.py").write_text("import numpy as np\ndef f(x):\n    return np.asarray(x)\n")
    refused(folder, network(), f"{folder / 'fails.py'}:f", "expected a function of tensors")
    (folder / "cuts.py").write_text("def f(x):\n    return x[:, 1:]\n")
    refused(folder, network(), f"{folder / 'cuts.py'}:f", "expected a model of images (3, 4, 3)")
    whole = keras.Sequential([keras.Input((4, 4, 3), dtype="uint8"), *network().layers])
    refused(folder, whole, "bytes", "expected a model of floating-point inputs")
    refused(folder, network(last=[L.Softmax()]), "unit", "say --outputs=probabilities")
    refused(folder, network(), "unit", "say --outputs=logits", kind="sigmoids")
    sigmoids = network(last=[L.Activation("sigmoid")])
    refused(folder, sigmoids, "unit", "say --outputs=sigmoids", kind="probabilities")
    loaded(folder, sigmoids, "unit", kind="sigmoids")


def test_one_output_is_for_two_classes(folder, tmp_path):
    kernel = KERNEL[:, :1]
    refused(folder, network(kernel=kernel), "unit", "and 3 classes")
    x = RNG.integers(0, 256, size=(200, 4, 4, 3), dtype=np.uint8)
    y = ((x / np.float32(255)).reshape(200, -1) @ kernel > 0)[:, 0].astype(int)
    np.savez(tmp_path / "own.npz", x=x, y=y, x_test=x, y_test=y)
    for kind, last in (("logits", []), ("sigmoids", [L.Activation("sigmoid")])):
        of = loaded(tmp_path, network(kernel=kernel, last=last), "unit", kind)
        assert of.record["first_look"]["accuracy"] == 1.0


def test_a_teacher_is_only_called_and_sees_what_it_wants(folder):
    """Frozen, rescaling by itself, giving probabilities: the logits of the plain one."""
    normalisation = data.standard(data.find_images(f"npz:{folder / 'own.npz'}"))
    teacher = network(L.Rescaling(1 / 255), last=[L.Softmax()])
    teacher.trainable = False
    of = loaded(folder, teacher, "bytes", "probabilities")
    answers = evaluated.answers_for(of, normalisation, "probabilities")
    pixels = data.to_unit(of.held_out.arrays()[0])
    logits = answers(normalisation.apply(pixels)).numpy()
    np.testing.assert_allclose(
        tf.nn.softmax(logits), tf.nn.softmax(pixels.reshape(240, -1) @ KERNEL), atol=1e-5
    )
    plain = loaded(folder, network(), "standard")
    seen = normalisation.apply(pixels)
    same = evaluated.answers_for(plain, normalisation, "logits")(seen)
    np.testing.assert_allclose(same, plain.model(seen, training=False), rtol=1e-4, atol=1e-5)
    sigmoids = loaded(folder, network(last=[L.Activation("sigmoid")]), "unit", "sigmoids")
    with pytest.raises(UserError, match="independent sigmoids"):
        evaluated.answers_for(sigmoids, normalisation, "sigmoids")


def test_a_run_knows_what_its_network_wants(folder):
    saved = Saved(folder / "own.npz", None, data.Normalisation((0.5,), (0.5,), "measured"))
    with pytest.raises(UserError, match="normalisation: expected a file that belongs to no run"):
        evaluated.saved_with("--from_run", saved, Dataset("digits"), "bytes", kind="logits")


def test_a_savedmodel_folder_is_found(folder):
    network().export(folder / "exported", verbose=False)
    found = saved_model("--from_run", str(folder / "exported"))
    assert found == Saved(folder / "exported", None, None)
    dataset = Dataset(f"npz:{folder / 'own.npz'}")
    of = evaluated.saved_with("--from_run", found, dataset, "unit", kind="logits")
    assert of.is_function
    assert of.load(tf.distribute.get_strategy()).record["first_look"]["accuracy"] == 1.0
