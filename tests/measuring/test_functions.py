import sys
import types

import keras
import numpy as np
import pytest

from spectral_tf import Curve, Grid, StraightPaths, measure
from spectral_tf.errors import UserError
from spectral_tf.measuring.functions import function_of

L = keras.layers
GRID = Grid(64)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def mlp(*, outputs=1, activation="tanh"):
    return keras.Sequential(
        [keras.Input((1,)), L.Dense(16, activation), L.Dense(16, activation), L.Dense(outputs)]
    )


class TwoInputs(keras.Model):
    """A subclassed model of two inputs, given as a tuple."""

    def __init__(self):
        super().__init__()
        self.left, self.right = L.Dense(8, "tanh"), L.Dense(8, "tanh", name="right")
        self.join, self.last = L.Concatenate(), L.Dense(1)

    def call(self, inputs):
        return self.last(self.join([self.left(inputs[0]), self.right(inputs[1])]))


def transformer():
    """A small transformer on token embeddings."""
    x = keras.Input((6, 8))
    y = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4, name="attention")(x, x))
    y = L.LayerNormalization()(y + L.Dense(8)(L.Dense(16, "gelu")(y)))
    return keras.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(y)))


def autoencoder():
    x = keras.Input((8, 8, 1))
    code = L.Dense(4, "tanh", name="code")(L.Flatten()(x))
    return keras.Model(x, L.Reshape((8, 8, 1))(L.Dense(64)(code)))


def by_hand(model, inputs, where, **choice):
    """The measurement of a table of the outputs, made with Keras' own predict."""
    table = np.asarray(model.predict(inputs, verbose=0), np.float64)
    rows = iter(range(len(table)))
    return measure(lambda x: np.stack([table[next(rows)] for _ in x]), where, **choice)


def same(found, expected):
    assert found.quantities.keys() == expected.quantities.keys()
    for name in expected.quantities:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-4, atol=1e-6)


def test_a_keras_model_is_measured_as_it_predicts():
    model = mlp()
    same(measure(model, GRID), by_hand(model, GRID.samples(slice(None)), GRID))


def test_a_subclassed_model_of_two_inputs():
    model = TwoInputs()
    split = lambda x: (x, 1 - x)  # noqa: E731
    found = measure(model, GRID, to_inputs=split)
    x = GRID.samples(slice(None))
    same(found, by_hand(model, (x, 1 - x), GRID))


def test_a_functional_model_of_named_inputs_and_outputs():
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    both = L.Dense(4, "tanh")(L.Concatenate()([a, b]))
    model = keras.Model({"a": a, "b": b}, {"one": L.Dense(1)(both), "two": L.Dense(2)(both)})
    named = lambda x: {"a": x, "b": x**2}  # noqa: E731
    with pytest.raises(UserError, match="one of one, two"):
        measure(model, GRID, to_inputs=named)
    found = measure(model, GRID, to_inputs=named, output="two")
    assert found["power_by_output"].shape[0] == 2
    last = keras.Model(model.inputs, model.outputs[::-1])
    same(found, measure(lambda x: last.predict([x, x**2], verbose=0)[0], GRID))


def test_a_transformer_between_two_sentences():
    model = transformer()
    first, last = np.random.default_rng(0).normal(size=(2, 5, 6, 8)).astype(np.float32)
    where = StraightPaths(first, last, 40)
    found = measure(model, where, outputs="logits")
    same(found, by_hand(model, where.samples(slice(None)), where, outputs="logits"))
    assert found.estimate("centroid").n == 5


def test_an_autoencoder_along_a_line_and_its_code():
    model = autoencoder()
    ends = np.random.default_rng(0).uniform(size=(2, 8, 8, 1))
    where = Curve.line(*ends, num_samples=50)
    same(measure(model, where), by_hand(model, where.samples(slice(None)), where))
    code = keras.Model(model.inputs, model.get_layer("code").output)
    found = measure(model, where, layer="code")
    assert found["samples"].shape == (50, 4)
    same(found, by_hand(code, where.samples(slice(None)), where))


def test_an_inner_layer_of_any_model_and_nothing_is_changed_by_it():
    model = TwoInputs()
    split = lambda x: (x, 1 - x)  # noqa: E731
    found = measure(model, GRID, to_inputs=split, layer="right")
    x = GRID.samples(slice(None))
    same(found, measure(lambda z: np.tanh((1 - z) @ model.right.kernel.numpy()), GRID))
    assert "call" not in model.right.__dict__
    assert len(x) == found["samples"].shape[0]
    with pytest.raises(UserError, match="right"):
        measure(model, GRID, to_inputs=split, layer="wrong")
    with pytest.raises(UserError, match="a Keras model"):
        measure(np.sin, GRID, layer="right")
    shared = L.Dense(1, name="shared")
    z = keras.Input((1,))
    twice = keras.Model(z, shared(shared(z)))
    with pytest.raises(UserError, match="called 2 times"):
        measure(twice, GRID, layer="shared")


def test_dropout_and_normalisation_are_those_of_inference_and_stay_as_they_are():
    model = keras.Sequential(
        [keras.Input((1,)), L.Dense(16), L.BatchNormalization(), L.Dropout(0.5), L.Dense(1)]
    )
    before = [v.numpy() for v in model.variables]
    same(measure(model, GRID), measure(model, GRID))
    for own, now in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(own, now.numpy())


@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16"])
def test_other_precisions(policy):
    dtype = keras.DTypePolicy(policy)
    model = keras.Sequential(
        [keras.Input((1,)), L.Dense(8, "tanh", dtype=dtype), L.Dense(1, dtype=dtype)]
    )
    assert np.isfinite(measure(model, GRID)["power"]).all()


def test_batches_change_nothing_and_functions_are_asked_once_for_each_sample():
    model = mlp()
    same(measure(model, GRID, batch_size=10), measure(model, GRID))
    sizes = []

    def counted(x):
        sizes.append(len(x))
        return np.sin(x)

    measure(counted, GRID, batch_size=40)
    assert sizes == [40, 24]


def test_what_is_measured_of_logits_probabilities_and_sigmoids():
    model = mlp(outputs=3)
    logits = measure(model, GRID, outputs="logits")
    softmax = keras.Sequential([model, L.Softmax()])
    same(logits, measure(softmax, GRID, outputs="probabilities"))
    with pytest.raises(UserError, match="probabilities"):
        measure(softmax, GRID, outputs="logits")
    with pytest.raises(UserError, match="logits"):
        measure(model, GRID, outputs="probabilities")
    one = mlp()
    sigmoid = keras.Sequential([one, L.Activation("sigmoid")])
    logit = measure(one, GRID, outputs="logits")
    same(logit, measure(sigmoid, GRID, outputs="sigmoids"))
    # Logits of a fresh network may lie in [0, 1]: that is noted, and refused where they are at both
    # ends of it.
    between = measure(lambda x: 0.3 + 0.4 * x, GRID, outputs="logits")
    assert "all logits lie in [0, 1]" in between.notes[0]
    with pytest.raises(UserError, match="say outputs=sigmoids"):
        measure(lambda x: 1 / (1 + np.exp(9 - 18 * x)), GRID, outputs="logits")


def test_a_pytorch_module_measures_as_its_keras_twin():
    torch = pytest.importorskip("torch")
    model = mlp(outputs=2)
    parts = []
    for layer in model.layers:
        twin = torch.nn.Linear(*layer.kernel.shape)
        twin.weight.data = torch.tensor(layer.kernel.numpy().T)
        twin.bias.data = torch.tensor(layer.bias.numpy())
        parts += [twin, torch.nn.Tanh()]
    twin = torch.nn.Sequential(*parts[:-1], torch.nn.Dropout(0.5))
    twin[0].eval()
    same(measure(twin, GRID, outputs="logits"), measure(model, GRID, outputs="logits"))
    # Modes are as they were, part by part.
    assert twin.training
    assert not twin[0].training
    assert twin[-1].training


def test_a_jax_function_measures_as_its_keras_twin():
    jax = pytest.importorskip("jax")
    model = mlp()
    weights = [w.numpy() for w in model.weights]

    @jax.jit
    def twin(x):
        for kernel, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
            x = jax.numpy.tanh(x @ kernel + bias)
        return x @ weights[4] + weights[5]

    same(measure(twin, GRID), measure(model, GRID))


def test_scikit_learn_estimators():
    neighbors = pytest.importorskip("sklearn.neighbors")
    linear = pytest.importorskip("sklearn.linear_model")
    x = GRID.samples(slice(None))
    wave = np.sin(2 * np.pi * 3 * x[:, 0])
    nearest = neighbors.KNeighborsRegressor(1).fit(x, wave)
    assert measure(nearest, GRID)["power"][3] == pytest.approx(0.5)
    classes = (wave > 0).astype(int)
    known = neighbors.KNeighborsClassifier(1).fit(x, classes)
    found = measure(known, GRID, outputs="probabilities")
    same(found, measure(lambda z: np.eye(2)[classes], GRID, outputs="probabilities"))
    with pytest.raises(UserError, match="labels"):
        measure(known, GRID)
    with pytest.raises(UserError, match="decision_function"):
        measure(known, GRID, outputs="logits")
    fitted = linear.LogisticRegression().fit(x, classes)
    same(measure(fitted, GRID, outputs="logits"), measure(fitted, GRID, outputs="probabilities"))


def test_an_onnx_session(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(0)
    w = rng.normal(size=(1, 4)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", ["x", "w"], ["z"]),
            onnx.helper.make_node("Sin", ["z"], ["y"]),
        ],
        "net",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [16, 1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [16, 4])],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString())
    # It takes 16 samples at once, always.
    assert function_of(session).batch == 16
    same(measure(session, Grid(40)), measure(lambda x: np.sin(x @ w), Grid(40)))


def test_a_model_that_does_not_take_the_samples_is_told_of():
    with pytest.raises(UserError, match=r"takes inputs of shape \(64, 1\)"):
        measure(transformer(), GRID)


def test_keras_of_another_backend_is_asked_without_tensorflow(monkeypatch):
    class Layer:
        def __call__(self, x, training):
            assert not training
            return types.SimpleNamespace(of_another_library=np.sin(x))

    other = types.SimpleNamespace(
        Layer=Layer,
        Model=Layer,
        config=types.SimpleNamespace(backend=lambda: "jax"),
        ops=types.SimpleNamespace(convert_to_numpy=lambda tensor: tensor.of_another_library),
    )
    monkeypatch.setitem(sys.modules, "keras", other)
    found = measure(Layer(), GRID)
    assert found["power"].shape == (33,)


def images(model_range):
    """A classifier of images with pixels in a range, the same function of pixels for all."""
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 3))
    scale, shift = model_range
    y = L.Flatten()(L.Rescaling(scale, shift)(x))
    return keras.Model(x, L.Dense(4)(L.Dense(16, "relu")(y)))


# Rescaling back to [0, 1] of what each range has.
@pytest.mark.parametrize(
    ("words", "back"),
    [("bytes", (1 / 255, 0)), ("signed", (0.5, 0.5)), ("0.25:0.5", (0.5, 0.25)), ("unit", (1, 0))],
)
def test_the_same_function_of_pixels_measures_the_same_whatever_range_it_wants(words, back):
    first, last = np.random.default_rng(0).uniform(size=(2, 4, 6, 6, 3))
    where = StraightPaths(first, last, 24)
    reference = measure(images((1, 0)), where, outputs="logits")
    found = measure(images(back), where, outputs="logits", to_inputs=words)
    same(found, reference)
    assert found.record["to_inputs"] == words
    # Asked as a function of arrays, it is the same, too.
    model = images(back)
    call = lambda x: model(x, training=False)  # noqa: E731
    same(measure(call, where, outputs="logits", to_inputs=words), reference)


def test_order_and_layout_of_channels():
    first, last = np.random.default_rng(0).uniform(size=(2, 4, 6, 6, 3))
    where = StraightPaths(first, last, 24)
    model = images((1, 0))
    turned = lambda x: model(x.transpose(0, 2, 3, 1)[..., ::-1], training=False)  # noqa: E731
    found = measure(turned, where, outputs="logits", to_inputs="unit,bgr,channels_first")
    same(found, measure(model, where, outputs="logits"))


@pytest.mark.parametrize("words", ["standard", "tiny", "mine:prepare", "bytes,rgb,bgr"])
def test_words_that_say_nothing_about_pixels(words):
    with pytest.raises(UserError, match="to_inputs"):
        measure(np.sin, GRID, to_inputs=words)


def test_paths_that_a_keras_model_does_not_take():
    first, last = np.random.default_rng(0).uniform(size=(2, 4, 5, 5, 3))
    with pytest.raises(UserError, match="takes inputs of shape"):
        measure(images((1, 0)), StraightPaths(first, last), outputs="logits")


def test_axes_that_keras_would_add_by_itself_are_asked_for():
    recurrent = keras.Sequential([keras.Input((5, 1)), L.LSTM(4), L.Dense(1)])
    with pytest.raises(UserError, match=r"one of inputs \(None, 5, 1\)"):
        measure(recurrent, GRID)
    series = lambda x: np.tile(x[:, None], (1, 5, 1))  # noqa: E731
    assert measure(recurrent, GRID, to_inputs=series)["power"].shape == (33,)


def test_several_models_are_no_retracing(caplog):
    for _ in range(6):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        measure(model, Grid(8))
    assert [line for line in caplog.messages if "retracing" in line] == []
