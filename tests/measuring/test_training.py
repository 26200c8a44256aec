import subprocess
import sys

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from spectral_tf import Grid, LabelWave, SpectrumCallback, SpectrumProbe, load
from spectral_tf.errors import UserError

L = keras.layers
X = np.arange(64, dtype=np.float32)[:, None] / 64
Y = np.sin(2 * np.pi * X)
# Without drop of the first step: each epoch is 4 steps of 16.
FIT = {"batch_size": 16, "verbose": 0}


def model(seed=0, **compiled):
    keras.utils.set_random_seed(seed)
    net = keras.Sequential(
        [keras.Input((1,)), L.Dense(16, "tanh"), L.BatchNormalization(), L.Dropout(0.2), L.Dense(1)]
    )
    net.compile(**({"optimizer": "adam", "loss": "mse"} | compiled))
    return net


def weights(net):
    return [v.numpy() for v in (*net.variables, *net.optimizer.variables)]


def steps(callback):
    return callback.history.coordinates["step"].values.tolist()


def test_a_probe_in_ones_own_loop():
    probe = SpectrumProbe(Grid(32), targets=lambda x: np.cos(2 * np.pi * 4 * x))
    for step in (0, 10, 20):
        probe.update(lambda x, a=step / 20: a * np.cos(2 * np.pi * 4 * x), step)
    history = probe.history
    assert history.quantities["power"].axes == ("step", "frequency")
    np.testing.assert_allclose(history["normalised_magnitude"][:, 0], [0, 0.5, 1], atol=1e-6)
    assert history.learning_times().tolist() == [10]
    assert history.learning_times(1.5).tolist() == [np.inf]
    assert "learned to half at step" in history.summary()
    with pytest.raises(UserError, match="above 20"):
        probe.update(np.sin, 20)
    with pytest.raises(UserError, match="at least one update"):
        _ = SpectrumProbe(Grid(8)).history


def test_a_function_that_diverges_is_nan_from_there_on():
    probe = SpectrumProbe(Grid(32))
    probe.update(np.sin, 0)
    probe.update(lambda x: x * np.inf, 1)
    assert np.isnan(probe.history["power"][1]).all()
    assert "diverged" in probe.history.notes[-1]
    with pytest.raises(UserError, match="finite"):
        SpectrumProbe(Grid(32)).update(lambda x: x * np.nan, 0)


@pytest.mark.parametrize("execution", [1, 3])
def test_weights_are_the_same_bit_for_bit_with_and_without_it(execution):
    compiled = {"steps_per_execution": execution}
    plain, followed = model(**compiled), model(**compiled)
    callback = SpectrumCallback(Grid(64), targets=Y)
    keras.utils.set_random_seed(1)
    plain.fit(X, Y, epochs=6, **FIT)
    keras.utils.set_random_seed(1)
    followed.fit(X, Y, epochs=6, callbacks=[callback], **FIT)
    for own, other in zip(weights(plain), weights(followed), strict=True):
        np.testing.assert_array_equal(own, other)
    if execution == 1:
        assert steps(callback) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24]
    else:  # Epochs of four steps are a call of three and one of one.
        assert steps(callback) == [0, 3, 4, 7, 8, 11, 12, 15, 19, 20, 24]
    assert np.isfinite(callback.history["power"]).all()


TWO_DEVICES = """
import keras, numpy as np, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from spectral_tf import Grid, SpectrumCallback
x = np.arange(64, dtype=np.float32)[:, None] / 64
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
trained = []
for callbacks in ([], [SpectrumCallback(Grid(64), every=4)]):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(8, "tanh"),
                                keras.layers.Dense(1)])
        net.compile("adam", "mse")
    net.fit(x, np.sin(6.28 * x), batch_size=16, epochs=2, verbose=0, callbacks=callbacks)
    trained.append([w.numpy() for w in net.weights])
(spectrum,) = callbacks
own = spectrum.probe.where.samples(slice(None))
power = spectrum.history["power"][-1]
print(strategy.num_replicas_in_sync, spectrum.history.coordinates["step"].values.tolist(),
      all(np.array_equal(a, b) for a, b in zip(*trained)),
      np.allclose(power.sum(), np.mean(net.predict(own, verbose=0) ** 2)))
"""


@pytest.mark.long
def test_several_replicas():
    told = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False
    )
    assert told.stdout.splitlines()[-1:] == ["2 [0, 4, 8] True True"], told.stderr[-2000:]


def test_the_last_step_is_measured_before_early_stopping_brings_weights_back():
    def best(**kwargs):
        return keras.callbacks.EarlyStopping(
            "loss", patience=0, restore_best_weights=True, **kwargs
        )

    for first in (True, False):
        net = model(optimizer=keras.optimizers.SGD(2.0))
        callback = SpectrumCallback(Grid(64), every=1000)
        order = [best(), callback] if first else [callback, best()]
        net.fit(X, Y, epochs=50, callbacks=order, **FIT)
        stopped = int(net.optimizer.iterations.numpy())
        assert 0 < stopped < 200
        assert steps(callback) == [0, stopped]
        # What it measured last is not what the weights of the best epoch give.
        now = SpectrumProbe(Grid(64)).update(net, 0)
        assert not np.allclose(callback.history["power"][-1], now["power"], equal_nan=False)


@pytest.mark.long
def test_a_second_fit_and_a_resumed_one_go_on(tmp_path):
    whole = SpectrumCallback(Grid(64), targets=Y, every=4, folder=tmp_path / "whole")
    net = model()
    net.fit(X, Y, epochs=2, callbacks=[whole], **FIT)
    net.save(tmp_path / "net.keras")
    net.fit(X, Y, epochs=2, callbacks=[whole], **FIT)
    assert steps(whole) == [0, 4, 8, 12, 16]
    # Another process, with the model of step 8 and a folder that has steps 0 to 8.
    part = SpectrumCallback(Grid(64), targets=Y, every=4, folder=tmp_path / "part")
    first = model()
    first.fit(X, Y, epochs=2, callbacks=[part], **FIT)
    again = keras.models.load_model(tmp_path / "net.keras")
    rest = SpectrumCallback(Grid(64), targets=Y, every=4, folder=tmp_path / "part")
    again.fit(X, Y, epochs=2, callbacks=[rest], **FIT)
    assert steps(rest) == [0, 4, 8, 12, 16]
    kept = load(tmp_path / "part")
    np.testing.assert_allclose(kept["power"][:3], load(tmp_path / "whole")["power"][:3])
    events = EventAccumulator(
        str(tmp_path / "part" / "tensorboard" / "part"), size_guidance={"tensors": 0}
    )
    events.Reload()
    tags = events.Tags()["tensors"]
    shown = [e.step for e in events.Tensors("normalised_magnitude/target_frequency=1")]
    assert shown == [0, 4, 8, 12, 16]
    assert {"measurement", "flags"} <= {*tags}
    # A training that begins anew does not write over it unasked.
    with pytest.raises(UserError, match="overwrite=True"):
        model().fit(X, Y, callbacks=[SpectrumCallback(Grid(64), folder=tmp_path / "part")], **FIT)
    replaced = SpectrumCallback(Grid(64), folder=tmp_path / "part", overwrite=True)
    model().fit(X, Y, callbacks=[replaced], **FIT)
    assert load(tmp_path / "part").coordinates["step"].values.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.long
def test_what_a_kill_leaves_can_be_loaded_and_gone_on_with(tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    net = model()
    callback = SpectrumCallback(Grid(64), every=4, folder=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=9, callbacks=[callback, Kill()], **FIT)
    assert load(tmp_path / "run").coordinates["step"].values.tolist() == [0, 4, 8]
    rest = SpectrumCallback(Grid(64), every=4, folder=tmp_path / "run")
    net.fit(X, Y, epochs=1, callbacks=[rest], **FIT)
    assert steps(rest) == [0, 4, 8, 12]


RESUMED = """
import os, signal, sys
import keras, numpy as np
from spectral_tf import Grid, SpectrumCallback
first, kill = sys.argv[1] == "first", len(sys.argv) > 2
x = np.arange(64, dtype=np.float32)[:, None] / 64
class Kill(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 3 and kill:
            os.kill(os.getpid(), signal.SIGKILL)
keras.utils.set_random_seed(0)
net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
net.compile("adam", "mse")
spectrum = SpectrumCallback(Grid(64), every=4, folder="spectra", overwrite=True)
backup = keras.callbacks.BackupAndRestore("backup")
order = [spectrum, backup] if first else [backup, spectrum]
net.fit(x, np.sin(6.28 * x), batch_size=16, epochs=6, verbose=0, callbacks=[*order, Kill()])
print(spectrum.history.coordinates["step"].values.tolist())
"""


@pytest.mark.long
@pytest.mark.parametrize("order", ["first", "last"])
def test_a_killed_fit_that_backup_and_restore_resumes_keeps_its_history(order, tmp_path):
    def fit(*kill):
        return subprocess.run(
            [sys.executable, "-c", RESUMED, order, *kill],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )

    assert fit("kill").returncode == -9
    again = fit()
    assert again.stdout.splitlines()[-1:] == ["[0, 4, 8, 12, 16, 20, 24]"], again.stderr[-2000:]


def test_a_fit_that_is_stopped_at_once_leaves_a_folder_to_begin_in(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model().fit(X, Y, callbacks=[SpectrumCallback(Grid(64), folder=tmp_path), Stop()], **FIT)
    again = SpectrumCallback(Grid(64), folder=tmp_path)
    model().fit(X, Y, callbacks=[again], **FIT)
    assert steps(again) == [0, 1, 2, 3, 4]


def test_a_training_that_grows_beyond_all_bounds_is_followed_to_its_end(tmp_path):
    net = model(optimizer=keras.optimizers.Adam(1e30))
    callback = SpectrumCallback(Grid(64), every=1, folder=tmp_path / "run")
    net.fit(X, Y, epochs=2, callbacks=[callback], **FIT)
    assert steps(callback) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert (tmp_path / "run" / "figures" / "measurement.png").is_file()


def test_a_jump_at_the_border_is_told_of_what_was_learned(caplog):
    callback = SpectrumCallback(Grid(64), every=1)
    model().fit(X, Y, callbacks=[callback], **FIT)
    assert "the function jumps" in callback.history.notes[0]
    (told,) = (line for line in caplog.messages if "the function jumps" in line)
    assert told.startswith("spectra at step 4: ")


def test_a_folder_of_events_keeps_those_of_earlier_trainings(tmp_path):
    for _ in range(2):
        model().fit(X, Y, callbacks=[SpectrumCallback(Grid(64), log_dir=tmp_path)], **FIT)
    files = sorted((tmp_path / "spectrum").glob("*tfevents*"))
    assert len({file.suffix for file in files}) == len(files) >= 2


def test_other_targets_and_other_models_are_other_histories(tmp_path):
    net = model()
    first = SpectrumCallback(Grid(64), targets=Y, folder=tmp_path / "run")
    net.fit(X, Y, callbacks=[first], **FIT)
    other = SpectrumCallback(Grid(64), targets=2 * Y, folder=tmp_path / "run")
    with pytest.raises(UserError, match="another targets"):
        net.fit(X, Y, callbacks=[other], **FIT)
    with pytest.raises(UserError, match="a new callback"):
        model().fit(X, Y, callbacks=[first], **FIT)


def test_a_folder_that_cannot_be_written_is_told_in_a_line():
    with pytest.raises(UserError, match="can be written"):
        model().fit(X, Y, callbacks=[SpectrumCallback(Grid(64), folder="/proc/none")], **FIT)


def test_a_folder_with_something_else_is_refused_before_training(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    net = model()
    with pytest.raises(UserError, match=r"thesis\.tex"):
        net.fit(X, Y, callbacks=[SpectrumCallback(Grid(64), folder=tmp_path)], **FIT)
    assert int(net.optimizer.iterations.numpy()) == 0
    with pytest.raises(UserError, match="every"):
        SpectrumCallback(Grid(64), every=-1)


def test_a_model_that_is_not_built_yet_is_followed_from_its_first_step():
    keras.utils.set_random_seed(0)
    net = keras.Sequential([L.Dense(4, "tanh"), L.Dense(1)])
    net.compile("adam", "mse")
    callback = SpectrumCallback(Grid(64))
    net.fit(X, Y, epochs=1, callbacks=[callback], **FIT)
    assert steps(callback) == [1, 2, 3, 4]


def test_noise_fitting_by_callback():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)).astype(np.float32)
    labels = (x[:, 0] > 0).astype(int)
    smoothing = 0.4 + 0.3 * np.sin(3 * x[:, 1])
    wave = LabelWave(x, labels, smoothing)
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((2,)), L.Dense(32, "relu"), L.Dense(2)])
    net.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    soft = smoothing[:, None] / 2 + (1 - smoothing[:, None]) * np.eye(2)[labels]
    callback = SpectrumCallback(wave, outputs="logits", every=10)
    net.fit(x, soft, epochs=5, callbacks=[callback], **FIT)
    assert callback.history.quantities["regression_slope"].axes == ("step",)
    assert callback.history["accuracy"][-1] > 0.8
