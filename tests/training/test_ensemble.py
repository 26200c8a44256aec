import pathlib
import subprocess
import sys
import threading
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf import tasks
from spectral_tf.errors import UserError
from spectral_tf.models.mlp import mlp
from spectral_tf.training import ensemble as ensemble_module
from spectral_tf.training import replicas
from spectral_tf.training.ensemble import Ensemble
from spectral_tf.training.optimizers import SGD, Adam, AdamW, Lion, Muon


def small(seed):
    return mlp(width=8, depth=3, seed=seed)


def sines(run, num_samples=16):
    rng = np.random.default_rng(run)
    return tasks.SumOfSines.with_random_phases([1, 3], [1.0, 0.5], num_samples, rng).dataset()


def make(members=3, **changes):
    settings = {
        "build": small,
        "seeds": range(members),
        "datasets": [sines(i) for i in range(members)],
    }
    return Ensemble(**{**settings, **changes})


def test_members_equal_networks_trained_alone_by_a_plain_loop(assert_close):
    ensemble = make(optimizer=Adam(0.01))
    ensemble.train(20)
    outputs, losses = ensemble.evaluate()
    for run in range(3):
        model = small(run)
        x, y = (tf.constant(v) for v in next(sines(run).batch(16).as_numpy_iterator()))
        weights = [w.value for w in model.trainable_variables]
        slots = [Adam(0.01).init(w.numpy()) for w in weights]
        for step in range(20):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                prediction = model.stateless_call(weights, [], x)[0]
                loss = tf.reduce_mean((prediction - y) ** 2)
            weights, slots = Adam(0.01).update(
                tape.gradient(loss, weights), slots, weights, step, tf.constant(True)
            )
        prediction = model.stateless_call(weights, [], x)[0]
        assert_close(outputs[run], prediction.numpy())
        assert_close(losses[run], tf.reduce_mean((prediction - y) ** 2).numpy())
        for ours, theirs in zip(ensemble.weights, weights, strict=True):
            assert_close(ours[run], theirs.numpy())


def test_gradient_descent_on_a_quadratic_moves_as_by_hand(assert_close):
    # One weight, target 1 at x = 1: the first Adam step is the rate, whatever the gradient.
    data = tf.data.Dataset.from_tensors((np.ones(1, np.float32), np.ones(1, np.float32)))

    def line(seed):
        inputs = keras.Input((1,))
        return keras.Model(
            inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs)
        )

    ensemble = Ensemble(line, [0], [data], optimizer=Adam(0.125))
    assert_close(ensemble.evaluate()[1], np.float32([1.0]))
    ensemble.train(1)
    assert_close(ensemble.weights[0].ravel(), np.float32([0.125]))
    assert_close(ensemble.evaluate()[1], np.float32([0.875**2]))


def test_pieces_blocks_and_a_saved_state_give_the_same_bits():
    whole = make(5)
    whole.train(30)
    pieces = make(5)
    pieces.train(7)
    saved = pieces.state()
    other = make(5)
    other.load(saved)
    assert other.step == 7
    other.train(20)
    other.train(3)
    for ours, theirs in zip(whole.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(whole.evaluate()[0], other.evaluate()[0])


class Devices(NamedTuple):
    """What a strategy says of its replicas; None: the default one, which has no list."""

    devices: tuple[str, ...] | None

    @property
    def extended(self):
        return self

    @property
    def worker_devices(self):
        if self.devices is None:
            raise RuntimeError("worker_devices() method unsupported by default strategy")
        return self.devices


def test_the_type_of_a_device_is_that_of_the_replicas(monkeypatch):
    one, host = "/job:localhost/replica:0/task:0/device:", "/job:worker/replica:0/task:1/device:"
    types = replicas.device_types
    assert types(Devices((f"{one}GPU:0", f"{one}GPU:1"))) == {"GPU"}
    assert types(Devices((f"{host}TPU:0",))) == {"TPU"}
    assert types(tf.distribute.OneDeviceStrategy("CPU:0")) == {"CPU"}
    assert types(Devices(None)) == types(tf.distribute.get_strategy()) == {"CPU"}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    assert types(Devices(None)) == {"GPU"}
    # Replicas on the CPUs of a machine that has a GPU, too.
    assert types(tf.distribute.OneDeviceStrategy("CPU:0")) == {"CPU"}


def test_an_accelerator_trains_all_members_in_one_program(monkeypatch):
    monkeypatch.setattr(ensemble_module, "_CPU_BLOCK_BYTES", 1)
    on_cpu = make(5)
    assert (on_cpu.block_size, len(on_cpu._blocks)) == (1, 5)
    for kind in ("GPU", "TPU"):
        monkeypatch.setattr(replicas, "device_types", lambda _, kind=kind: {kind})
        there = make(5)
        assert (there.block_size, len(there._blocks)) == (5, 1)
    assert make(5, block_size=2).block_size == 2


def test_a_block_on_a_cpu_fits_the_cache(monkeypatch):
    """1 -> 8 -> 8 -> 1: 97 weights with two moments, 17 units on 16 samples: 4 (3 97 + 17 16)."""
    monkeypatch.setattr(ensemble_module, "cores", lambda: 1)
    for size, block in ((2 * 2252, 2), (2 * 2252 - 1, 1), (5 * 2252, 5)):
        monkeypatch.setattr(ensemble_module, "_CPU_BLOCK_BYTES", size)
        assert make(5).block_size == block


@pytest.mark.parametrize(
    ("cores", "size", "lengths"),
    [
        (1, 5, [5]),
        (2, 5, [3, 2]),  # One for each core, though one would hold them all.
        (2, 2, [2, 1, 1, 1]),
        (4, 5, [2, 1, 1, 1]),
        (8, 5, [1, 1, 1, 1, 1]),  # The other cores help with the products.
    ],
)
def test_every_core_has_as_many_blocks(monkeypatch, cores, size, lengths):
    monkeypatch.setattr(ensemble_module, "cores", lambda: cores)
    monkeypatch.setattr(ensemble_module, "_CPU_BLOCK_BYTES", size * 2252)
    ensemble = make(5)
    assert [block.stop - block.start for block in ensemble._blocks] == lengths
    assert ensemble._blocks[-1].stop == 5


@pytest.mark.long
def test_blocks_at_once_change_no_bit(monkeypatch):
    trained = []
    for count in (1, 3):
        monkeypatch.setattr(ensemble_module, "cores", lambda count=count: count)
        ensemble = make(5, block_size=2)
        ensemble.train(20)
        trained.append(ensemble.state())
    for name, array in trained[0].items():
        np.testing.assert_array_equal(array, trained[1][name])


def test_blocks_run_beside_each_other_and_in_order(monkeypatch):
    monkeypatch.setattr(ensemble_module, "cores", lambda: 3)
    ensemble = make(3, block_size=1)
    all_three = threading.Barrier(3, timeout=60)

    def block(number):
        all_three.wait()  # Of one after the other the first would wait for ever.
        return number

    assert ensemble._on_cores(block, range(3)) == [0, 1, 2]
    monkeypatch.setattr(ensemble_module, "cores", lambda: 1)
    assert make(3, block_size=1)._on_cores(lambda n: threading.current_thread(), range(3)) == (
        [threading.main_thread()] * 3
    )


def test_a_block_that_fails_leaves_all_as_they_were(monkeypatch):
    monkeypatch.setattr(ensemble_module, "cores", lambda: 2)
    ensemble = make(4, block_size=1)
    ensemble.train(1)
    before, works = ensemble.state(), ensemble._train._settled

    def fails(state, *arguments):
        if state is ensemble._state[2]:
            raise RuntimeError("out of memory")
        return works(state, *arguments)

    monkeypatch.setattr(ensemble._train, "_settled", fails)
    with pytest.raises(UserError, match="out of memory"):
        ensemble.train(1)
    for name, array in ensemble.state().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("block_size", [1, 2, 5])
def test_blocks_do_not_change_the_members(block_size, assert_close):
    whole, blocks = make(5, block_size=5), make(5, block_size=block_size)
    for ensemble in (whole, blocks):
        ensemble.train(10)
    assert_close(blocks.evaluate()[0], whole.evaluate()[0])


@pytest.mark.parametrize("optimizer", [Adam(), SGD(0.1)], ids=["adam", "descent"])
def test_a_state_of_before_slots_had_one_name_is_read(optimizer):
    ensemble = make(optimizer=optimizer)
    ensemble.train(3)
    now = ensemble.state()
    number = len(ensemble.weights)
    older = {}
    for i in range(2 * number):
        name = f"{('first', 'second')[i // number]}/{i % number:03d}"
        # Gradient descent had them, too, and they stayed 0.
        older[name] = now.pop(f"slots/{i:03d}", np.zeros_like(ensemble.weights[i % number]))
    other = make(optimizer=optimizer)
    other.load({**now, **older})
    for e in (ensemble, other):
        e.train(3)
    for name, array in ensemble.state().items():
        np.testing.assert_array_equal(other.state()[name], array)


def test_probing_changes_nothing():
    probed, alone = make(), make()
    for _ in range(5):
        probed.train(2)
        probed.evaluate()
        probed.state()
    alone.train(10)
    for ours, theirs in zip(probed.weights, alone.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_member_that_diverges_stops_alone_and_is_dated(assert_close):
    def poison(x, y):
        return x, tf.where(x < 0.5, 3e19, y)  # Its square is not a float32.

    datasets = [sines(0), sines(1).map(poison), sines(2)]
    ensemble, healthy = make(datasets=datasets), make()
    before = [w[1].copy() for w in ensemble.weights]
    for each in (ensemble, healthy):
        each.train(10)
    assert ensemble.diverged_at_step.tolist() == [-1, 0, -1]
    outputs, losses = ensemble.evaluate()
    assert np.isnan(outputs[1]).all()
    assert np.isnan(losses[1])
    for now, then, other in zip(ensemble.weights, before, healthy.weights, strict=True):
        np.testing.assert_array_equal(now[1], then)
        assert_close(now[[0, 2]], other[[0, 2]])


@pytest.mark.long
@pytest.mark.parametrize("block_size", [None, 2])
def test_outputs_on_other_inputs_are_the_networks(block_size, assert_close):
    ensemble = make(block_size=block_size)
    ensemble.train(5)
    x = np.linspace(-2, 3, 7, dtype=np.float32)[:, np.newaxis]
    outputs = ensemble.outputs(x)
    assert outputs.shape == (3, 7, 1)
    for run in range(3):
        model = small(run)
        model.set_weights([w[run] for w in ensemble.weights])
        assert_close(outputs[run], model(x).numpy())
    own = next(sines(0).batch(16).as_numpy_iterator())[0]
    assert_close(ensemble.outputs(own)[0], ensemble.evaluate()[0][0])


def test_stopped_members_have_no_outputs():
    ensemble = make(datasets=[sines(0), sines(1).map(lambda x, y: (x, y * 3e38)), sines(2)])
    ensemble.train(3)
    there = ~np.isnan(ensemble.outputs(np.zeros((2, 1))))
    assert there[:, :, 0].tolist() == [[True] * 2, [False] * 2, [True] * 2]


def test_divergence_in_the_middle_has_its_step():
    ensemble = make(optimizer=Adam(1e18))
    ensemble.train(10)
    assert (ensemble.diverged_at_step > 0).all()
    assert (ensemble.diverged_at_step < 10).all()
    saved = ensemble.diverged_at_step
    ensemble.train(5)
    np.testing.assert_array_equal(ensemble.diverged_at_step, saved)


def test_a_loss_that_is_lost_by_the_last_update_gives_nan_too():
    ensemble = make(optimizer=Adam(1e30))
    ensemble.train(1)
    outputs, losses = ensemble.evaluate()
    assert (ensemble.diverged_at_step == -1).all()
    assert np.isnan(losses).all()
    assert np.isnan(outputs).all()


def test_every_member_has_its_own_clip():
    free, clipped = make(), make(weight_clips=[np.inf, *[0.01] * (make().num_members - 1)])
    for ensemble in (free, clipped):
        ensemble.train(3)
    for unclipped, weights in zip(free.weights, clipped.weights, strict=True):
        np.testing.assert_array_equal(weights[0], unclipped[0])
        assert np.abs(weights[1:]).max() <= np.float32(0.01)
        assert np.abs(unclipped[1:]).max() > np.float32(0.01)


@pytest.mark.parametrize("clips", [[0.0, 1.0, 1.0], [1.0], [-1.0, 1.0, 1.0], [np.nan, 1.0, 1.0]])
def test_clips_must_be_positive_and_one_for_each_member(clips):
    with pytest.raises(UserError, match="weight_clips: expected a number above 0 for each member"):
        make(weight_clips=clips)


def test_cross_entropy_by_hand(assert_close):
    labels = sines(0).map(lambda x, y: (x, tf.cast(y > 0, tf.float32)))

    def zero(seed):
        inputs = keras.Input((1,))
        return keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="zeros")(inputs))

    ensemble = Ensemble(zero, [0], [labels], loss="sigmoid_cross_entropy", optimizer=Adam(0.1))
    assert_close(ensemble.evaluate()[1], np.float32([np.log(2)]))
    ensemble.train(50)
    assert ensemble.evaluate()[1] < np.log(2)


def batches_seen(batch_size, seeds, pieces, num_samples=16):
    """The samples of each step, read off a model whose weights add up which ones it has seen.

    Sample j is the j-th unit vector and the loss is the sum of the outputs: the gradient of weight
    j is 1 in a step that holds it and 0 in others, and gradient descent takes it off.
    """
    x = np.eye(num_samples, dtype=np.float32)

    def counting(seed):
        inputs = keras.Input((num_samples,))
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        return keras.Model(inputs, layer(inputs))

    ensemble = Ensemble(
        counting,
        seeds,
        (x, np.zeros((num_samples, 1), np.float32)),
        loss=lambda y, outputs: tf.reduce_sum(outputs),
        optimizer=SGD(1.0, momentum=0.0),
        batch_size=batch_size,
        batch_seeds=list(seeds),
    )
    seen, before = [], 0.0
    for piece in pieces:
        ensemble.train(piece)
        counts = -ensemble.weights[0][..., 0]
        seen.append(counts - before)
        before = counts
    return np.stack(seen, axis=1).round().astype(int)  # [e, pieces, n]


def test_an_epoch_of_batches_holds_every_sample_once_and_epochs_differ():
    (first, second) = batches_seen(4, [5, 6], [1] * 8)
    for run in (first, second):
        assert run.sum(axis=1).tolist() == [4] * 8
        assert run[:4].sum(axis=0).tolist() == run[4:].sum(axis=0).tolist() == [1] * 16
        assert not np.array_equal(run[:4], run[4:])
    assert not np.array_equal(first, second)
    # Calls that begin and end in the middle of epochs see the same.
    pieces = batches_seen(4, [5, 6], [3, 4, 1])
    for i, part in enumerate((slice(3), slice(3, 7), slice(7, 8))):
        np.testing.assert_array_equal(pieces[:, i], [first[part].sum(0), second[part].sum(0)])


def test_batches_are_those_of_sorted_draws():
    """As they have always been: of Philox's uniform numbers of seed and epoch, sorted."""

    @tf.function(jit_compile=True)
    def order(seed, epoch):
        return tf.argsort(tf.random.stateless_uniform([16], tf.stack([seed, epoch]), alg="philox"))

    seen = batches_seen(5, [7, 9], [1] * 7)
    for run, seed in zip(seen, (7, 9), strict=True):
        for step, counts in enumerate(run):
            wanted = order(tf.constant(seed), tf.constant(step // 3))[step % 3 * 5 :][:5]
            assert sorted(wanted.numpy()) == np.flatnonzero(counts).tolist()


@pytest.mark.long
def test_batches_do_not_depend_on_when_training_was_called(assert_close):
    whole, pieces = (make(batch_size=5, batch_seeds=[7, 8, 9]) for _ in range(2))
    whole.train(10)
    for _ in range(5):
        pieces.train(2)
    for ours, theirs in zip(whole.weights, pieces.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    full = make()
    full.train(10)
    assert np.any(full.weights[0] != whole.weights[0])


def test_a_full_batch_drawn_as_a_batch_learns_the_same(assert_close):
    drawn, full = make(batch_size=16, batch_seeds=[1, 2, 3]), make()
    for ensemble in (drawn, full):
        ensemble.train(5)
    assert_close(drawn.evaluate()[1], full.evaluate()[1])


def test_members_may_have_inputs_of_their_own(assert_close):
    datasets = [sines(i).map(lambda x, y, i=i: (x + float(i), y)) for i in range(3)]
    own, alone = make(datasets=datasets), make(1, seeds=[2], datasets=datasets[2:])
    for ensemble in (own, alone):
        ensemble.train(5)
    assert_close(own.evaluate()[0][2], alone.evaluate()[0][0])


def test_models_with_state_of_their_own_are_trained_too(assert_close):
    def build(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((1,))
        hidden = keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs))
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dropout(0.5)(hidden)))

    ensemble = make(build=build)
    before = ensemble.state()
    ensemble.train(3)
    after = ensemble.state()
    changed = [name for name in after if np.any(after[name] != before[name])]
    assert any(name.startswith("non_trainable/") for name in changed)
    # Measured as at inference: no unit dropped, moving averages used and left alone.
    np.testing.assert_array_equal(ensemble.evaluate()[0], ensemble.evaluate()[0])
    model = ensemble.member(0)
    assert_close(ensemble.evaluate()[0][0], model(ensemble.inputs[0], training=False).numpy())
    assert (ensemble.diverged_at_step == -1).all()


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"seeds": []}, "at least one member"),
        ({"seeds": [], "datasets": sines(0)}, "at least one member"),
        ({"seeds": [1]}, "1 seeds and 3 data sets"),
        ({"loss": "hinged"}, "mean_squared_error, sigmoid_cross_entropy, a name .*, got hinged"),
        ({"batch_size": 17, "batch_seeds": [1, 2, 3]}, "0 .all. to 16 samples"),
        ({"batch_size": 4}, "a batch seed for each member"),
        ({"datasets": [sines(0), sines(1), sines(2, 20)]}, "the same shapes for all members"),
        ({"datasets": [sines(0).repeat()] * 3}, "finite, unbatched data sets"),
    ],
)
def test_impossible_ensembles_are_refused(wrong, line):
    with pytest.raises(ValueError, match=line):
        make(**wrong)


def test_the_state_of_another_ensemble_is_refused():
    with pytest.raises(ValueError, match="the arrays of this ensemble"):
        make(3).load(make(2).state())
    with pytest.raises(ValueError, match="the arrays of this ensemble"):
        make(3).load({})


def test_pytorch_started_from_our_weights_makes_the_same_steps(assert_close):
    torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")
    ensemble = make(1)
    layers: list = []
    for kernel, bias in zip(*[iter(ensemble.weights)] * 2, strict=True):
        layers += [torch.nn.Linear(*kernel[0].shape), torch.nn.ReLU()]
        layers[-2].weight.data = torch.tensor(kernel[0].T.copy())
        layers[-2].bias.data = torch.tensor(bias[0].copy())
    network = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(network.parameters(), 3e-4)
    x, y = (torch.tensor(v) for v in next(sines(0).batch(16).as_numpy_iterator()))
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(network(x), y).backward()
        optimizer.step()
    ensemble.train(20)
    assert_close(ensemble.evaluate()[0][0], network(x).detach().numpy())


WITHOUT_TENSORFLOW = """
import sys
import jax, numpy as np
from jax.extend.backend import get_backend
folder = sys.argv[1]
program = get_backend().compile_and_load(open(f"{folder}/program", "rb").read(), jax.devices()[:1])
saved = np.load(f"{folder}/arguments.npz")
arguments = [saved[f"arr_{i}"] for i in range(len(saved.files))]
outputs = program.execute([jax.device_put(a) for a in (*arguments, np.int32(5), np.int32(20))])
np.savez(f"{folder}/trained.npz", *map(np.asarray, outputs))
assert "tensorflow" not in sys.modules
"""


@pytest.mark.parametrize("own_inputs", [False, True])
def test_the_program_trains_without_tensorflow(tmp_path, assert_close, own_inputs):
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    data = {"datasets": [sines(i, 16) for i in range(3)]}
    if own_inputs:
        x = np.linspace(0, 1, 48, dtype=np.float32).reshape(3, 16, 1)
        data = {"datasets": [(x[i], np.sin(6 * x[i])) for i in range(3)]}
    ensemble = make(3, block_size=3, **data)
    ensemble.train(5)
    lowered = ensemble.lowered()
    (tmp_path / "program").write_bytes(lowered.stablehlo)
    np.savez(tmp_path / "arguments.npz", *lowered.arguments)
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ensemble.train(20)
    with np.load(tmp_path / "trained.npz") as saved:
        trained = [saved[f"arr_{i}"] for i in range(len(saved.files))]
    assert len(trained) == lowered.num_state
    for place, weights in zip(lowered.weights, ensemble.weights, strict=True):
        assert_close(trained[place], weights)


def test_a_program_of_some_members_is_refused():
    with pytest.raises(UserError, match="one block on one replica, got 3 members, 1 in a block"):
        make(3, block_size=1).lowered()


TWO_LOGICAL_CPUS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import sys
sys.path.insert(0, sys.argv[1])
from test_ensemble import make
from spectral_tf.runtime.strategy import make_strategy
two = make_strategy("mirrored")
assert two.num_replicas_in_sync == 2
one, spread = make(5), make(5, strategy=two)
one.train(20); spread.train(20)
a, b = one.evaluate(), spread.evaluate()
np.testing.assert_allclose(a[0], b[0], rtol=2e-5, atol=2e-5)
np.testing.assert_allclose(a[1], b[1], rtol=2e-5, atol=2e-5)
x = np.linspace(-1, 2, 4)[:, np.newaxis]
np.testing.assert_allclose(one.outputs(x), spread.outputs(x), rtol=2e-5, atol=2e-5)
devices = [t.device[-5:] for t in two.experimental_local_results(spread._data[0]["targets"])]
assert devices == ["CPU:0", "CPU:1"], devices
spread.load(one.state()); one.train(5); spread.train(5)
np.testing.assert_allclose(one.evaluate()[0], spread.evaluate()[0], rtol=2e-5, atol=2e-5)
print("equal on one and on two")
"""


@pytest.mark.long
def test_the_same_members_on_one_and_on_two_logical_devices():
    here = str(pathlib.Path(__file__).parent)
    result = subprocess.run(
        [sys.executable, "-c", TWO_LOGICAL_CPUS, here], capture_output=True, text=True, timeout=300
    )
    assert "equal on one and on two" in result.stdout, result.stderr[-2000:]


def test_targets_that_lack_the_axis_of_one_output_are_compared_with_it(assert_close):
    flat, whole = make(1, datasets=[sines(0).map(lambda x, y: (x, y[0]))]), make(1)
    for ensemble in (flat, whole):
        ensemble.train(3)
    np.testing.assert_array_equal(flat.evaluate()[0], whole.evaluate()[0])


def arrays(run):
    return next(sines(run).batch(16).as_numpy_iterator())


@pytest.mark.long
def test_arrays_and_data_sets_are_the_same_and_one_serves_all():
    of_sets = make()
    of_arrays = make(datasets=[arrays(run) for run in range(3)])
    for_all, one_for_each = make(datasets=arrays(1)), make(datasets=[sines(1)] * 3)
    set_for_all = make(datasets=sines(1))
    for ensemble in (of_sets, of_arrays, for_all, one_for_each, set_for_all):
        ensemble.train(3)
    np.testing.assert_array_equal(of_arrays.evaluate()[0], of_sets.evaluate()[0])
    for ensemble in (for_all, set_for_all):
        np.testing.assert_array_equal(ensemble.evaluate()[0], one_for_each.evaluate()[0])
        assert ensemble.inputs.shape == (1, 16, 1)


def test_two_pairs_in_a_tuple_are_of_two_members():
    pair = make(2, datasets=(arrays(0), arrays(1)))
    np.testing.assert_array_equal(pair.evaluate()[1], make(2).evaluate()[1])


X = np.linspace(0, 1, 16, dtype=np.float32)[:, np.newaxis]


@pytest.mark.parametrize(
    ("datasets", "line"),
    [
        (X, "datasets: expected a tf.data.Dataset or a pair of arrays"),
        ((X, X, X), "datasets: expected a tf.data.Dataset or a pair of arrays"),
        ([X] * 3, "got .'ndarray', 'ndarray', 'ndarray'."),
        ([(X, X)] * 2, "3 seeds and 2 data sets"),
        ((X, X[:5]), "with one sample for each target, got inputs .16, 1. of float32"),
        ((X[:0], X[:0]), "arrays of numbers"),
        (([[0.0], [1.0]], X[:2]), "make arrays of lists"),
        ((X.astype(str), X), "numbers of words"),
        ([sines(0).map(lambda x, y: (x, y, 1.0))] * 3, "pairs of inputs and targets, got elements"),
        (sines(0).map(lambda x, y: x), "pairs of inputs and targets, got no pairs"),
        ((X, np.zeros((16, 2))), r"targets of the outputs' shape, \(1,\) for each sample .*\(2,\)"),
        ((X, np.zeros((16, 1, 2))), "targets of the outputs' shape"),
        (sines(0).batch(4), "build: expected a model that takes samples of the shape|batches"),
    ],
)
def test_data_that_cannot_be_is_refused_in_one_line(datasets, line):
    with pytest.raises(UserError, match=line) as error:
        make(datasets=datasets)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def classifier(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(3)])


LABELS = np.arange(16) % 3
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def softmax(seed):
    return keras.Sequential([classifier(seed), keras.layers.Softmax()])


def own_loss(y_true, y_pred):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(y_true, tf.int32), y_pred)


def broken_loss(y_true, y_pred):
    raise AttributeError("the layer has no name")


def own_scalar(y_true, y_pred):
    return tf.reduce_mean(own_loss(y_true, y_pred))


@pytest.mark.long
def test_one_loss_however_it_is_said(assert_close):
    onehot = np.eye(3, dtype=np.float32)[LABELS]
    said = [
        (classifier, LOGITS, LABELS),
        (classifier, LOGITS, LABELS[:, np.newaxis]),
        (classifier, keras.losses.CategoricalCrossentropy(from_logits=True), onehot),
        (classifier, own_loss, LABELS),
        (classifier, own_scalar, LABELS),
        (softmax, "sparse_categorical_crossentropy", LABELS),
        (softmax, keras.losses.categorical_crossentropy, onehot),
    ]
    found = []
    for build, loss, targets in said:
        ensemble = Ensemble(build, [0, 1], (X, targets), loss=loss, optimizer=Adam(0.05))
        ensemble.train(5)
        found.append(ensemble.evaluate()[1])
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-4)
    assert (found[0] < np.log(3)).all()


@pytest.mark.parametrize(
    ("build", "loss", "targets", "line"),
    [
        (
            classifier,
            "sparse_categorical_crossentropy",
            LABELS,
            "expected probabilities as outputs",
        ),
        (classifier, LOGITS, LABELS + 1, "whole targets of 0 to 2, .*got 1 to 3; count classes"),
        (classifier, LOGITS, LABELS + 0.5, "whole targets of 0 to 2"),
        (classifier, LOGITS, np.eye(3)[LABELS], r"numbers of classes, of shape \(\)"),
        (classifier, "mae", LABELS, r"targets of the outputs' shape, \(3,\).*loss mean_absolute"),
        (classifier, own_loss, LABELS[:, np.newaxis, np.newaxis], "loss: expected a function"),
        (classifier, lambda y, p: tf.argmax(p, 1), LABELS, "no gradient of any weight"),
        (classifier, broken_loss, LABELS, "differentiated, got broken_loss: the layer has no name"),
        (classifier, 3, LABELS, "loss: expected mean_squared_error, .*, got 3"),
    ],
)
def test_losses_that_cannot_be_are_refused_in_one_line(build, loss, targets, line):
    with pytest.raises(UserError, match=line) as error:
        Ensemble(build, [0], (X, targets), loss=loss)
    assert "\n" not in str(error.value)


@pytest.mark.long
@pytest.mark.parametrize(
    ("optimizer", "values"),
    [
        (lambda v: Adam(v), [1e-3, 1e-2, 3e-2]),
        (lambda v: Adam(1e-2, beta_2=v), [0.9, 0.99, 0.999]),
        (lambda v: AdamW(1e-2, weight_decay=v), [0.0, 0.1, 1.0]),
        (lambda v: SGD(0.1, momentum=v), [0.0, 0.5, 0.9]),
        (lambda v: Muon(v), [1e-3, 1e-2, 3e-2]),
        (lambda v: Lion(1e-3, weight_decay=v), [0.0, 0.1, 1.0]),
    ],
)
def test_members_that_differ_in_a_hyperparameter_train_as_with_it_alone(
    optimizer, values, assert_close
):
    settings = {"seeds": [0, 0, 0], "datasets": arrays(0)}
    mixed = make(optimizer=optimizer(values), **settings)
    mixed.train(6)
    for i, value in enumerate(values):
        alone = make(1, seeds=[0], datasets=arrays(0), optimizer=optimizer(value))
        alone.train(6)
        for ours, theirs in zip(mixed.weights, alone.weights, strict=True):
            assert_close(ours[i], theirs[0])
    assert np.abs(mixed.weights[0][0] - mixed.weights[0][2]).max() > 1e-4


def test_hyperparameters_belong_to_members_in_any_blocks(assert_close):
    rates = [1e-3, 1e-2, 3e-2, 1e-1, 0.0]
    whole, blocks = (make(5, optimizer=SGD(rates), block_size=size) for size in (5, 2))
    for ensemble in (whole, blocks):
        ensemble.train(4)
    assert_close(blocks.evaluate()[0], whole.evaluate()[0])
    np.testing.assert_array_equal(whole.weights[0][4], make(5).weights[0][4])


def test_muon_tells_variables_apart_by_shape_and_path(assert_close):
    def build(seed):
        keras.utils.set_random_seed(seed)
        return keras.Sequential(
            [keras.Input((3,), dtype="int32"), keras.layers.Embedding(5, 4), keras.layers.Flatten(),
             keras.layers.Dense(6, "tanh"), keras.layers.Dense(1, name="head")]
        )  # fmt: skip

    words = np.random.default_rng(0).integers(0, 5, (16, 3))
    theirs = keras.optimizers.Muon(0.02, exclude_layers=["head"])
    ensemble = Ensemble(build, [0], (words, X), loss="mse", optimizer=theirs)
    ensemble.train(4)
    # Momentum of all five variables, and second moments of all but one matrix.
    assert sum(name.startswith("slots/") for name in ensemble.state()) == 5 + 4
    alone = build(0)
    for _ in range(4):
        weights = alone.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((alone(words) - X) ** 2)
        gradients = tape.gradient(loss, [w.value for w in weights])
        theirs.apply([tf.convert_to_tensor(g) for g in gradients], weights)
    assert_close(ensemble.evaluate()[0][0], alone(words).numpy())
    other = Ensemble(build, [0], (words, X), loss="mse", optimizer=Muon())
    with pytest.raises(UserError, match="the arrays of this ensemble"):
        other.load(ensemble.state())


def test_constants_that_differ_in_a_member_between_are_refused():
    def build(seed):
        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [
                keras.Input((1,)),
                keras.layers.Rescaling(50.0 if seed == 1 else 1.0),
                keras.layers.Dense(1),
            ]
        )

    x = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
    with pytest.raises(UserError, match="constants or settings differ"):
        Ensemble(build, [0, 1, 2], (x, x))


def test_members_that_all_begin_alike_are_told_of(caplog):
    def build(_):
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    x = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
    with caplog.at_level("WARNING"):
        ensemble = Ensemble(build, [0, 1], (x, x))
    assert "begin with the same weights" in caplog.text
    for steps in (-1, 1.5):
        with pytest.raises(UserError, match="num_steps"):
            ensemble.train(steps)
    assert ensemble.step == 0
