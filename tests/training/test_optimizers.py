import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.training.optimizers import SGD, Adam, AdamW, Lion, Muon, optimizer_of

KERAS = keras.optimizers
RNG = np.random.default_rng(0)
# What Muon tells apart: a tall and a flat matrix, vectors, tables of embeddings, a named layer.
SHAPES = {
    "tall": (5, 3),
    "flat": (2, 6),
    "bias": (4,),
    "embedding": (4, 3),
    "head": (3, 3),
    "conv": (2, 2, 3),
}
START = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
GRADIENTS = [
    {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    for _ in range(7)
]
DECAY = {"weight_decay": 0.3}


def of_keras(optimizer):
    """What an optimiser of Keras makes of the variables in seven steps."""
    variables = [keras.Variable(value, name=name) for name, value in START.items()]
    for gradients in GRADIENTS:
        optimizer.apply([tf.constant(g) for g in gradients.values()], variables)
    return {name: v.numpy() for name, v in zip(START, variables, strict=True)}


def ours(optimizer, start=START, gradients=GRADIENTS):
    weights = [tf.constant(w) for w in start.values()]
    slots = [
        tuple(slot[0] for slot in optimizer.init(w[np.newaxis], name)) for name, w in start.items()
    ]
    for step, each in enumerate(gradients):
        weights, slots = optimizer.update(
            list(each.values()), slots, weights, tf.constant(step), tf.constant(True)
        )
    return {name: w.numpy() for name, w in zip(start, weights, strict=True)}


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        (KERAS.SGD(0.1), SGD(0.1)),
        (KERAS.SGD(0.1, **DECAY), SGD(0.1, **DECAY)),
        (KERAS.SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9)),
        (
            KERAS.SGD(0.1, momentum=0.8, nesterov=True, **DECAY),
            SGD(0.1, momentum=0.8, nesterov=True, **DECAY),
        ),
        (KERAS.Adam(0.05), Adam(0.05, epsilon=1e-7, epsilon_hat=True)),
        (
            KERAS.Adam(0.05, beta_1=0.7, beta_2=0.9, epsilon=1e-3, **DECAY),
            Adam(0.05, 0.7, 0.9, 1e-3, 0.3, epsilon_hat=True),
        ),
        (KERAS.AdamW(0.05), AdamW(0.05, epsilon=1e-7, epsilon_hat=True)),
        (KERAS.Lion(0.05), Lion(0.05)),
        (KERAS.Lion(0.05, beta_1=0.5, beta_2=0.8, **DECAY), Lion(0.05, 0.5, 0.8, 0.3)),
        (KERAS.Muon(0.05), Muon(0.05)),
        (
            KERAS.Muon(
                0.05, exclude_layers=["head"], nesterov=False, momentum=0.7, rms_rate=None,
                adam_weight_decay=0.2, adam_lr_ratio=0.5, ns_steps=3, **DECAY,
            ),
            Muon(
                0.05, 0.7, False, 0.3, ns_steps=3, rms_rate=None, exclude_layers=("head",),
                adam_weight_decay=0.2, adam_lr_ratio=0.5,
            ),
        ),
        (KERAS.Muon(0.05, exclude_embeddings=False), Muon(0.05, exclude_embeddings=False)),
    ],
    ids=lambda optimizer: type(optimizer).__module__.rsplit(".", 1)[-1],
)  # fmt: skip
def test_seven_steps_are_those_of_keras_and_so_are_its_own_when_translated(
    theirs, mine, assert_close
):
    translated = optimizer_of(theirs)
    expected = of_keras(theirs)
    for optimizer in (mine, translated):
        moved = ours(optimizer)
        for name, weight in expected.items():
            assert_close(moved[name], weight)
            assert np.abs(weight - START[name]).max() > 0.01


@pytest.mark.parametrize(
    "schedule",
    [
        KERAS.schedules.CosineDecay(0.0, 5, warmup_target=0.1, warmup_steps=2),
        KERAS.schedules.PiecewiseConstantDecay([1, 4], [0.1, 0.02, 0.001]),
        KERAS.schedules.ExponentialDecay(0.1, 2, 0.5),
    ],
)
def test_schedules_of_keras_are_functions_of_the_step(schedule, assert_close):
    for theirs in (KERAS.Adam(schedule), KERAS.SGD(schedule, weight_decay=0.1)):
        moved, expected = ours(optimizer_of(theirs)), of_keras(theirs)
        for name, weight in expected.items():
            assert_close(moved[name], weight)


def test_a_rate_may_be_any_function_of_the_updates_made(assert_close):
    gradients = [{"w": np.ones(1, np.float32)}] * 3
    halving = SGD(lambda step: 2.0 ** -tf.cast(step, tf.float32))
    moved = ours(halving, {"w": np.zeros(1, np.float32)}, gradients)
    assert_close(moved["w"], np.float32([-1.75]))  # 1 + 1/2 + 1/4.


def recursion(weight, gradient, steps, rate=3e-4, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Algorithm 1 of Kingma and Ba (2015) in float64, written from the paper."""
    m = v = np.zeros_like(weight)
    for t in range(1, steps + 1):
        g = gradient(weight)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        weight = weight - rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return weight


def descended(weight, gradient, steps, optimizer):
    weights = [tf.constant(weight)]
    slots = [optimizer.init(np.asarray(weight))]
    for step in range(steps):
        gradients = [gradient(weights[0])]
        weights, slots = optimizer.update(
            gradients, slots, weights, tf.constant(step), tf.constant(True)
        )
    return weights[0].numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fifty_steps_equal_the_float64_recursion(dtype, assert_close):
    curvature = np.array([1.0, 30.0, 1e-3, 5.0])
    start = np.array([1.0, -2.0, 3.0, 0.5])

    def gradient(w):
        return curvature.astype(dtype if tf.is_tensor(w) else np.float64) * w

    found = descended(start.astype(dtype), gradient, 50, Adam(0.01))
    assert found.dtype == dtype
    assert_close(found, recursion(start, gradient, 50, 0.01))


def test_the_first_step_of_adam_is_the_rate_times_the_sign_by_hand(assert_close):
    # m_1 / (1 - b1) = g and v_1 / (1 - b2) = g^2: the step is rate g / (|g| + epsilon).
    gradient = np.array([2.0, -3.0, 1e-8, 0.0], np.float32)
    moved = descended(np.zeros(4, np.float32), lambda _: gradient, 1, Adam(0.5))
    assert_close(moved, np.float32([-0.5, 0.5, -0.25, 0.0]))


def test_epsilon_acts_after_the_correction_of_the_bias_unless_asked_otherwise(assert_close):
    start, gradient = np.zeros(1, np.float32), np.float32([1e-8])
    assert abs(descended(start, lambda _: gradient, 1, Adam(0.5))[0]) > 0.2
    # Keras' form: v_1 = (1 - b2) g^2, and the root of its correction multiplies epsilon.
    root = np.sqrt(1 - 0.999)
    expected = -0.5 * root * 1e-8 / (root * 1e-8 + 1e-8)
    hat = descended(start, lambda _: gradient, 1, Adam(0.5, epsilon_hat=True))
    assert_close(hat / expected, np.float32([1.0]))


def test_momentum_and_lion_by_hand(assert_close):
    ones = [{"w": np.float32([2.0])}] * 2
    start = {"w": np.float32([0.0])}
    # v = -0.2, then -0.1 - 0.2; the weight is their sum.
    assert_close(ours(SGD(0.1, momentum=0.5), start, ones)["w"], np.float32([-0.5]))
    # Nesterov looks ahead by half of each v: -0.1 - 0.2, then -0.15 - 0.2.
    nesterov = ours(SGD(0.1, momentum=0.5, nesterov=True), start, ones)["w"]
    assert_close(nesterov, np.float32([-0.65]))
    # Signs alone, each weight first shrunk by rate x decay: -0.1, then -0.1 (1 - 0.05) - 0.1.
    lion = ours(Lion(0.1, weight_decay=0.5), start, ones)["w"]
    assert_close(lion, np.float32([-0.195]))


def test_muon_moves_along_nearly_orthogonal_matrices():
    # From a matrix of rank two with singular values 1 and 0.05 five steps come near 1 and 1.
    rotation = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    gradient = (rotation[:, :2] * [1.0, 0.05]) @ np.linalg.qr(RNG.normal(size=(2, 2)))[0]
    muon = Muon(1.0, nesterov=False, weight_decay=0.0, rms_rate=None)
    start = {"w": np.zeros((4, 2), np.float32)}
    moved = ours(muon, start, [{"w": gradient.astype(np.float32)}])["w"]
    values = np.linalg.svd(moved, compute_uv=False)
    assert ((values > 0.65) & (values < 1.25)).all(), values


@pytest.mark.parametrize(
    "optimizer",
    [Adam(weight_decay=0.1), SGD(0.1), SGD(0.1, 0.9, True, 0.1), Lion(weight_decay=0.1), Muon()],
    ids=lambda o: type(o).__name__,
)
def test_an_inactive_member_does_not_move_whatever_its_gradient(optimizer):
    weight = np.float32([[1.0, 2.0], [3.0, -1.0]])
    slots = tuple(tf.constant(slot[0] + 0.5) for slot in optimizer.init(weight[np.newaxis], "w"))
    weights, kept = optimizer.update(
        [tf.constant([[np.nan, np.inf], [0, 1]])], [slots], [tf.constant(weight)], tf.constant(7),
        tf.constant(False),
    )  # fmt: skip
    np.testing.assert_array_equal(weights[0], weight)
    for slot in kept[0]:
        np.testing.assert_array_equal(slot, np.full((2, 2), 0.5, np.float32))


def test_bfloat16_weights_have_float32_slots():
    weight = tf.constant([1.0, 2.0], tf.bfloat16)
    slots = Adam().init(weight.numpy())
    moved, kept = Adam(0.1).update([weight], [slots], [weight], tf.constant(0), tf.constant(True))
    assert moved[0].dtype == tf.bfloat16
    assert {slot.dtype for slot in kept[0]} == {tf.float32}


def test_strings_are_the_optimisers_of_keras_and_none_is_our_adam():
    assert optimizer_of(None) == Adam()
    adam = optimizer_of("adam")
    assert adam.epsilon_hat
    assert adam.epsilon == 1e-7
    np.testing.assert_allclose(adam.learning_rate, 1e-3)
    assert isinstance(optimizer_of("lion"), Lion)
    with pytest.raises(UserError, match="expected SGD, Adam, AdamW, Lion, Muon, .*, got RMSprop"):
        optimizer_of("rmsprop")


class OwnAdam(KERAS.Adam):
    pass


def without_decay_of_biases():
    optimizer = KERAS.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (lambda: "no_optimiser", "got no_optimiser"),
        (lambda: 3, "got int"),
        (KERAS.RMSprop, "got RMSprop"),
        (OwnAdam, "got OwnAdam"),
        (lambda: KERAS.Adam(amsgrad=True), "got amsgrad; leave it out"),
        (lambda: KERAS.Adam(clipnorm=1.0, use_ema=True), "got clipnorm, use_ema"),
        (lambda: KERAS.SGD(gradient_accumulation_steps=2), "got gradient_accumulation_steps"),
        (lambda: KERAS.SGD(lambda: 0.1), "neither a number nor a schedule"),
        (without_decay_of_biases, "got exclude_from_weight_decay"),
    ],
)
def test_what_has_no_pure_update_here_is_refused_in_one_line(given, line):
    with pytest.raises(UserError, match=line) as error:
        optimizer_of(given())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("optimizer", "line"),
    [
        (Adam([0.1, 0.2]), "learning_rate: expected a number, or one for each of 3 members"),
        (SGD(0.1, momentum=[0.1, 0.2, 0.3, 0.4]), "optimizer's momentum"),
        (Adam("fast"), "got fast"),
        (AdamW(weight_decay=None), "optimizer's weight_decay"),
        (Adam([KERAS.schedules.CosineDecay(0.1, 3)] * 3), "a rate may be a schedule, too"),
    ],
)
def test_hyperparameters_are_one_number_or_one_for_each_member(optimizer, line):
    with pytest.raises(UserError, match=line):
        optimizer.by_member(3)


def test_hyperparameters_by_member_are_found():
    found = SGD([0.1, 0.2], momentum=np.array([0, 0.5]), weight_decay=0.1).by_member(2)
    assert {name: values.tolist() for name, values in found.items()} == {
        "learning_rate": [0.1, 0.2],
        "momentum": [0.0, 0.5],
    }
    assert Adam().by_member(2) == {}
