"""Models of any kind train as members as they train alone in Keras' own loop."""

import logging
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.training.ensemble import Ensemble
from spectral_tf.training.optimizers import Adam

L = keras.layers
RNG = np.random.default_rng(0)
X = np.linspace(0, 1, 16, endpoint=False, dtype=np.float32)[:, np.newaxis]
# Not of mean 0: a gradient that is nothing but rounding is what Adam makes steps of.
Y = np.sin(2 * np.pi * X) + np.float32(0.5)
SEQUENCES = RNG.random((16, 5, 2)).astype(np.float32)
WORDS = RNG.integers(0, 7, (16, 5))


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """Without an argument `training`, built by its first call."""

    def __init__(self, **named):
        super().__init__(**named)
        self.first, self.last = L.Dense(8, "tanh"), L.Dense(1)

    def call(self, inputs):
        return self.last(self.first(inputs))


class TwoInputs(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.last = L.Dense(8, "tanh"), L.Dense(1)

    def call(self, inputs, training=False):
        return self.last(self.first(inputs["a"]) * L.Dropout(0.0)(inputs["b"]))


class Penalty(L.Layer):
    def call(self, inputs):
        self.add_loss(0.1 * keras.ops.mean(inputs**2))
        return inputs


def functional_of_two():
    inputs = keras.Input((1,)), keras.Input((1,))
    return keras.Model(list(inputs), L.Dense(1)(L.Concatenate()([*map(L.Dense(4), inputs)])))


def transformer():
    words = keras.Input((5,), dtype="int32")
    hidden = L.Embedding(7, 4)(words)
    hidden = L.LayerNormalization()(hidden + L.MultiHeadAttention(2, 2)(hidden, hidden))
    return keras.Model(words, L.Dense(1)(L.GlobalAveragePooling1D()(hidden)))


def in_row(*layers):
    return lambda: keras.Sequential([layer() for layer in layers])


def dense(units=8, **settings):
    return lambda: L.Dense(units, **{"activation": "tanh", **settings})


def output(**settings):
    return lambda: L.Dense(1, **settings)


def seeded(make):
    def build(seed):
        keras.utils.set_random_seed(seed)
        return make()

    return build


# Name -> what makes the model, and its inputs.
KINDS = {
    "sequential without Input": (in_row(dense(), output()), X),
    "subclassed": (Subclassed, X),
    "functional, two inputs": (functional_of_two, [X, X**2]),
    "subclassed, a dictionary of inputs": (TwoInputs, {"a": X, "b": X**2}),
    "lstm": (in_row(lambda: L.LSTM(3), output()), SEQUENCES),
    "masked gru": (in_row(lambda: L.Embedding(7, 3, mask_zero=True), lambda: L.GRU(3), output()),
                   WORDS),
    "convolutions": (in_row(lambda: L.Conv1D(3, 2, activation="tanh"), L.Flatten, output()),
                     SEQUENCES),
    "transformer of words": (transformer, WORDS),
    # A bias before the normalisation would have such a gradient.
    "batch normalisation": (
        in_row(dense(use_bias=False), lambda: L.BatchNormalization(momentum=0.5), output()), X),
    "layer normalisation": (in_row(dense(), L.LayerNormalization, output()), X),
    "spectral normalisation": (in_row(lambda: L.SpectralNormalization(L.Dense(4)), output()), X),
    "regularised": (
        in_row(dense(kernel_regularizer="l2", activity_regularizer="l1"), output()), X),
    "add_loss": (in_row(dense(), Penalty, output()), X),
    "constrained": (in_row(dense(kernel_constraint="unit_norm"), output()), X),
    "a frozen layer": (in_row(dense(trainable=False), output()), X),
    "mixed bfloat16": (
        in_row(dense(dtype="mixed_bfloat16"), output(dtype="mixed_bfloat16")), X),
}  # fmt: skip
RECURRENT = ("lstm", "masked gru")  # They take long to compile.
ONE_BY_ONE = {"lstm", "masked gru", "convolutions", "spectral normalisation"}


@pytest.fixture
def told(caplog):
    """Lines that the log was told."""
    caplog.set_level(logging.WARNING, "absl")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "absl"]


def trained_by_keras(model, x, dense_gradients):
    """Five steps, and the loss that Keras then measures.

    The squares that Keras takes of an embedding's gradient are those of single samples, not of
    their sum, which no other optimiser means and we do not either: there its loop is written out.
    """
    model.compile(keras.optimizers.Adam(0.01), "mse")
    for _ in range(5):
        if not dense_gradients:
            model.train_on_batch(x, Y)
            continue
        model(x)
        weights = model.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - Y) ** 2)
        gradients = tape.gradient(loss, [w.value for w in weights])
        model.optimizer.apply([tf.convert_to_tensor(g) for g in gradients], weights)
    return model.evaluate(x, Y, batch_size=16, verbose=0)


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[pytest.mark.long] * (k in RECURRENT)) for k in KINDS]
)
def test_members_are_what_keras_trains_alone(kind, told):
    make, x = KINDS[kind]
    adam = keras.optimizers.Adam(0.01)
    ensemble = Ensemble(seeded(make), [0, 1], (x, Y), loss="mse", optimizer=adam, block_size=2)
    ensemble.train(5)
    outputs, losses = ensemble.evaluate()
    alone = seeded(make)(1)
    whole = trained_by_keras(alone, x, dense_gradients=x is WORDS)
    # Products of bfloat16 are rounded where they are fused.
    tolerance = 2e-2 if "bfloat16" in kind else 2e-4
    np.testing.assert_allclose(
        outputs[1], np.asarray(alone(x, training=False), np.float32), rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(losses[1], whole, rtol=tolerance)
    # The trained member is that network, and so is what is read from its file.
    member = ensemble.member(1)
    np.testing.assert_allclose(
        np.asarray(member(x, training=False), np.float32), outputs[1], rtol=0, atol=tolerance
    )
    ensemble.train(60)
    assert (ensemble.evaluate()[1] < losses).all()
    lines = [line for line in told() if line.startswith("Ensemble of")]
    assert len(lines) == (kind in ONE_BY_ONE), lines
    assert all("members run one by one" in line for line in lines)


def test_blocks_of_one_and_of_several_run_in_the_same_form(told):
    # A convolution of one member looks as if it could be vectorised.
    make, x = KINDS["convolutions"]
    ensemble = Ensemble(seeded(make), range(3), (x, Y), loss="mse", block_size=2)
    ensemble.train(2)
    assert [block.stop - block.start for block in ensemble._blocks] == [2, 1]
    assert ensemble.evaluate()[0].shape[0] == len(ensemble.outputs(x)) == 3
    assert len([line for line in told() if "members run one by one" in line]) == 1


@pytest.mark.parametrize("kind", ["subclassed", "batch normalisation", "spectral normalisation"])
def test_a_saved_member_answers_as_the_ensemble(kind, tmp_path, assert_close):
    make, x = KINDS[kind]
    ensemble = Ensemble(seeded(make), [3, 4], (x, Y), optimizer=Adam(0.02))
    ensemble.train(3)
    untrained = ensemble.architecture(x, training=False).numpy()
    ensemble.member(1).save(tmp_path / "member.keras")
    loaded = keras.models.load_model(tmp_path / "member.keras")
    answers = loaded(x, training=False).numpy()
    assert_close(answers, ensemble.evaluate()[0][1])
    assert_close(ensemble.outputs(x)[1], answers)
    # Neither the ensemble nor its architecture is touched by what is done to a member.
    state = ensemble.state()
    member = ensemble.member(1)
    member.set_weights([w * 0 for w in member.get_weights()])
    for name, array in ensemble.state().items():
        np.testing.assert_array_equal(array, state[name])
    assert_close(ensemble.architecture(x, training=False).numpy(), untrained)


def test_members_that_there_are_not_or_that_diverged_are_refused():
    targets = [(X, Y), (X, np.full_like(Y, 3e19))]  # Its square is not a float32.
    ensemble = Ensemble(seeded(Subclassed), [0, 1], targets)
    ensemble.train(2)
    ensemble.member(0)
    with pytest.raises(UserError, match="member 1, which diverged at step 0"):
        ensemble.member(1)
    for index in (2, -1):
        with pytest.raises(UserError, match=f"member: expected 0 to 1, got {index}"):
            ensemble.member(index)


@pytest.mark.parametrize(("policy", "dtype"), [("float64", "float64"), ("bfloat16", "float32")])
def test_models_of_any_precision_train_and_go_on_from_a_file(policy, dtype, tmp_path):
    build = seeded(in_row(dense(dtype=policy), output(dtype=policy)))
    ensemble, other = (
        Ensemble(build, [0, 1], (X.astype(dtype), Y.astype(dtype)), optimizer=Adam(0.02))
        for _ in range(2)
    )
    before = ensemble.evaluate()[1]
    ensemble.train(20)
    outputs, losses = ensemble.evaluate()
    assert outputs.dtype == losses.dtype == dtype
    assert (losses < before).all()
    assert {str(w.dtype) for w in ensemble.weights} == {policy}
    np.savez(tmp_path / "state.npz", **ensemble.state())
    other.load(dict(np.load(tmp_path / "state.npz")))
    for each in (ensemble, other):
        each.train(3)
    np.testing.assert_array_equal(ensemble.evaluate()[0], other.evaluate()[0])


def test_float64_is_computed_as_such():
    build = seeded(in_row(dense(dtype="float64"), output(dtype="float64")))
    x, y = X.astype(np.float64), Y.astype(np.float64)
    # Keras rounds what it is told to float32; these numbers are none the worse for it.
    optimizer = keras.optimizers.SGD(0.125, momentum=0.5)
    ensemble = Ensemble(build, [0], (x, y), optimizer=optimizer)
    ensemble.train(5)
    alone = build(0)
    alone.compile(optimizer, keras.losses.MeanSquaredError(dtype="float64"))
    for _ in range(5):
        alone.train_on_batch(x, y)
    np.testing.assert_allclose(ensemble.evaluate()[0][0], np.asarray(alone(x)), rtol=1e-12)


def dropped(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([L.Dense(16, "tanh"), L.Dropout(0.5), L.Dense(1)])


@pytest.mark.long
def test_dropout_is_reproducible_resumed_exactly_and_differs_between_members():
    def trained(steps, seeds=(0, 1)):
        ensemble = Ensemble(dropped, seeds, (X, Y), optimizer=Adam(0.02))
        for n in steps:
            ensemble.train(n)
        return ensemble

    whole, again = trained([6]), trained([6])
    resumed = trained([2])
    saved = resumed.state()
    resumed = trained([])
    resumed.load(saved)
    resumed.train(4)
    # Every step draws anew: the second number of a state of draws counts them.
    assert whole.state()["non_trainable/000"][:, 1].tolist() == [6, 6]
    for name, array in whole.state().items():
        np.testing.assert_array_equal(again.state()[name], array)
        np.testing.assert_array_equal(resumed.state()[name], array)

    # Members of equal weights that differ in their random streams alone.
    def same_weights(seed):
        model = dropped(0)
        model(X)
        model.layers[1].seed_generator.state.assign([seed, 0])
        return model

    twins = Ensemble(same_weights, [0, 1, 1], (X, Y), optimizer=Adam(0.02))
    twins.train(2)
    kernels = twins.weights[0]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-3
    np.testing.assert_array_equal(kernels[1], kernels[2])


def test_members_that_share_one_random_stream_are_named(told):
    def build(seed):
        return keras.Sequential([L.Dense(4), L.Dropout(0.5, seed=1), L.Dense(1)])

    Ensemble(build, [0, 1], (X, Y))
    assert [line for line in told() if "draw the same random numbers (" in line]
    Ensemble(build, [5, 5], (X, Y))
    Ensemble(dropped, [0, 1], (X, Y))
    assert len(told()) == 1


def test_random_draws_alone_do_not_make_members_run_one_by_one(told):
    Ensemble(dropped, [0, 1], (X, Y)).train(1)
    assert told() == []


def test_one_by_one_and_at_once_are_the_same_numbers(monkeypatch, assert_close):
    from spectral_tf.training.programs import Program

    at_once = Ensemble(seeded(Subclassed), [0, 1, 2], (X, Y), optimizer=Adam(0.02))
    monkeypatch.setattr(Program, "_forms", lambda self: [(False, True)])
    in_row = Ensemble(seeded(Subclassed), [0, 1, 2], (X, Y), optimizer=Adam(0.02))
    monkeypatch.setattr(Program, "_forms", lambda self: [(False, False)])
    plain = Ensemble(seeded(Subclassed), [0, 1, 2], (X, Y), optimizer=Adam(0.02))
    for ensemble in (at_once, in_row, plain):
        ensemble.train(4)
    for ensemble in (in_row, plain):
        assert_close(ensemble.evaluate()[0], at_once.evaluate()[0])
        assert_close(ensemble.outputs(X[:3]), at_once.outputs(X[:3]))


class OfPython(L.Layer):
    """Calls Python while it computes, which no compiler can."""

    def call(self, inputs):
        @tf.custom_gradient
        def same(values):
            copied = tf.numpy_function(lambda array: array, [values], values.dtype)
            return tf.ensure_shape(copied, values.shape), lambda g: g

        return same(inputs)

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.long
def test_what_xla_cannot_compile_runs_without_it_and_says_so_once(told, assert_close):
    with_python, without = (
        Ensemble(seeded(in_row(dense(), *layers, output())), [0, 1], (X, Y), optimizer=Adam(0.02))
        for layers in ((OfPython,), ())
    )
    for ensemble in (with_python, without):
        ensemble.train(3)
        ensemble.train(1)
    assert_close(with_python.evaluate()[0], without.evaluate()[0])
    (line,) = told()
    assert "one by one and without XLA" in line
    assert "PyFunc" in line


class OwnStep(Subclassed):
    def train_step(self, data):
        return super().train_step(data)


class HiddenVariable(L.Layer):
    def build(self, shape):
        self.scale = [tf.Variable(2.0)]

    def call(self, inputs):
        return inputs * self.scale[0]


class UnseededNoise(L.Layer):
    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs))


class NoiseOfTensorFlow(L.Layer):
    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


def two_outputs():
    inputs = keras.Input((1,))
    return keras.Model(inputs, [L.Dense(1)(inputs), L.Dense(1)(inputs)])


def compiled():
    model = Subclassed()
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda seed: 3, "gives a Keras model, got int"),
        (lambda seed: Subclassed, "gives a Keras model, got"),
        (lambda seed: keras.Sequential([L.Dense(4 + seed), L.Dense(1)]), "other variables for "
         "member 1"),
        (lambda seed: keras.Sequential([L.Rescaling(1.0 + seed), L.Dense(1)]), "differ in their "
         "variables alone"),
        (lambda seed: keras.Sequential([keras.Input((3,)), L.Dense(1)]), r"shape \(1,\), got "
         "ValueError: Input 0 "),
        (lambda seed: keras.Sequential([L.LSTM(2)]), "a model that takes samples"),
        (lambda seed: keras.Sequential([L.Flatten()]), "trainable variables, got none"),
        (lambda seed: two_outputs(), "a model of one output, of floats, got list"),
        (lambda seed: compiled(), "an uncompiled model, got a compiled one"),
        (lambda seed: OwnStep(), "got OwnStep with a train_step of its own"),
        (lambda seed: keras.Sequential([L.Dense(1, dtype="mixed_float16")]), "got float16"),
        (lambda seed: keras.Sequential([HiddenVariable(), L.Dense(1)]), "variables Keras knows"),
        (lambda seed: keras.Sequential([UnseededNoise(), L.Dense(1)]), "SeedGenerator"),
        (lambda seed: keras.Sequential([NoiseOfTensorFlow(), L.Dense(1)]), "RandomStandardNormal"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_rightly_is_refused_in_one_line(build, line):
    with pytest.raises(UserError, match=f"build: expected .*{line}") as error:
        Ensemble(build, [0, 1], (X, Y))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_inputs_that_the_members_do_not_take_are_refused():
    ensemble = Ensemble(seeded(functional_of_two), [0], ([X, X], Y))
    assert ensemble.outputs([X[:3], X[:3]]).shape == (1, 3, 1)
    with pytest.raises(UserError, match="inputs: expected what the members are trained on"):
        ensemble.outputs(X)
    with pytest.raises(UserError, match="a model that takes samples of the shape"):
        ensemble.outputs([X, SEQUENCES])


TWO_LOGICAL_CPUS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import sys
sys.path.insert(0, sys.argv[1])
from test_ensemble_models import *
from spectral_tf.runtime.strategy import make_strategy
two = make_strategy("mirrored")
assert two.num_replicas_in_sync == 2
for kind in ("regularised", "spectral normalisation"):
    make, x = KINDS[kind]
    one, spread = (
        Ensemble(seeded(make), [0, 1, 2], (x, Y), loss="mse", strategy=strategy,
                 optimizer=Adam([0.01, 0.02, 0.03]))
        for strategy in (None, two)
    )
    for ensemble in (one, spread):
        ensemble.train(4)
    for a, b in zip(one.evaluate(), spread.evaluate()):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(one.member(2)(x), spread.member(2)(x), rtol=2e-5, atol=2e-5)
print("equal on one and on two")
"""


@pytest.mark.long
def test_losses_of_keras_are_not_shared_between_replicas():
    here = str(pathlib.Path(__file__).parent)
    result = subprocess.run(
        [sys.executable, "-c", TWO_LOGICAL_CPUS, here], capture_output=True, text=True, timeout=300
    )
    assert "equal on one and on two" in result.stdout, result.stderr[-2000:]
