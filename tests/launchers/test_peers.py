"""Peers of the benchmarks do the same work as we do."""

import importlib.util
import itertools
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf.experiments.contest import Contender, Running, Setting
from spectral_tf.records import read_table
from spectral_tf.spectra import learning_times

PEERS = ROOT / "launchers" / "peers"


def losses(script, *options):
    """What a script prints after some steps, as a user runs it."""
    command = [sys.executable, str(PEERS / f"{script}.py"), "--threads=1", *options]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return np.array(json.loads(result.stdout.splitlines()[-1]))


def in_a_process(code, *arguments):
    """What code says that may import the scripts; PyTorch and TensorFlow do not bear each other."""
    code = f"import sys; sys.path.insert(0, {str(PEERS)!r})\n{code}"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"without {missing}")


@pytest.fixture(scope="module")
def ours():
    return losses("ours", *NETWORKS)


NETWORKS = ("--members=2", "--steps=20", "--width=16", "--num_samples=40", "--input_dim=2")


@pytest.mark.long
@pytest.mark.parametrize(
    ("script", "options"),
    [
        pytest.param("torch_loop", (), marks=needs("torch")),
        pytest.param("torch_loop", ("--fused=1",), marks=needs("torch")),
        pytest.param("torch_func", (), marks=needs("torch")),
        pytest.param("jax_vmap", (), marks=needs("jax", "optax")),
        ("keras_fit", ()),
        ("keras_fit", ("--steps_per_execution=10", "--jit_compile=1")),
    ],
)
def test_every_peer_is_where_ours_is_after_twenty_steps(script, options, ours):
    np.testing.assert_allclose(losses(script, *NETWORKS, *options), ours, rtol=1e-5)


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="without jax")
def test_the_exported_program_trains_as_ours_and_no_other_networks(ours, tmp_path):
    script = str(PEERS / "ours_exported.py")
    command = [sys.executable, script, *NETWORKS, "--threads=1"]
    made = subprocess.run([*command, f"--export={tmp_path}"], capture_output=True, text=True)
    assert "2 members" in made.stdout, made.stderr
    found = losses("ours_exported", *NETWORKS, f"--program={tmp_path}")
    np.testing.assert_allclose(found, ours, rtol=1e-5)
    for wrong, line in (
        (["--width=8", f"--program={tmp_path}"], "the program is of other networks"),
        ([], "give --export=FOLDER"),
    ):
        refused = subprocess.run([*command, *wrong], capture_output=True, text=True)
        assert line in refused.stderr.splitlines()[-1]


@pytest.mark.long
def test_one_step_less_would_be_seen(ours):
    fewer = [flag.replace("20", "19") for flag in NETWORKS]
    assert (abs(losses("ours", *fewer) - ours) > 5e-5 * ours).all()


IMAGES = ("--steps=3", "--width=4", "--batch_size=32")


@pytest.mark.long
@pytest.mark.parametrize(
    ("script", "options"),
    [
        pytest.param("images_torch", (), marks=needs("torch")),
        pytest.param("images_torch", ("--compiled=1",), marks=needs("torch")),
        ("images_keras", ()),
    ],
)
def test_every_peer_has_our_loss_of_images_after_three_steps(script, options):
    expected = losses("images_ours", *IMAGES)
    assert abs(expected - np.log(10)) > 1, "the logits have left zero"
    np.testing.assert_allclose(losses(script, *IMAGES, *options), expected, rtol=1e-4)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="without torch")
def test_the_convnet_of_pytorch_has_as_many_parameters_as_ours():
    from spectral_tf.models.small import convnet

    code = (
        "import images_torch, numpy as np\n"
        "shapes = [(3, 3, i, o) for i, o in ((3, 4), (4, 8), (8, 16))]\n"
        "network = images_torch.convnet([np.zeros(s, np.float32) for s in shapes], 30, 10)\n"
        "print(sum(p.numel() for p in network.parameters()))\n"
    )
    model = convnet(width=4, input_shape=(30, 30, 3))
    expected = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert in_a_process(code).split() == [str(expected)]


@pytest.fixture
def network(tmp_path):
    """A file of batches and weights, none as it starts, and the logits of the first batch."""
    from spectral_tf.models.small import convnet

    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 5, 30, 30, 3)).astype(np.float32)  # 30, 15 and 8 pixels wide.
    model = convnet(width=4, input_shape=(30, 30, 3))
    drawn = {1: rng.uniform, 2: rng.normal, 4: rng.normal}  # Variances are above 0.
    model.set_weights([drawn[len(w.shape)](size=w.shape) for w in model.weights])
    weights = {f"weight_{i:02d}": w for i, w in enumerate(model.get_weights())}
    file = tmp_path / "batches.npz"
    np.savez(file, images=images, **weights)
    return file, model.predict(images[0], verbose=0)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="without torch")
def test_the_forward_pass_of_pytorch_gives_our_logits(network):
    file, expected = network
    code = (
        "import json, numpy as np, torch, torch_forward\n"
        "torch.compile = lambda network: network  # It takes a minute.\n"
        "images, *weights = np.load(sys.argv[1]).values()\n"
        "print(json.dumps(torch_forward.answerer(images, weights, 1).told['logits']))\n"
    )
    found = np.array(json.loads(in_a_process(code, file)))
    assert (np.ptp(expected, axis=0) > 0.1 * np.abs(expected).max()).all(), "they differ"
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="without torch")
@pytest.mark.parametrize("freezing", [0, 1])
def test_the_compiled_forward_pass_gives_our_logits_to_a_benchmark(freezing, network):
    file, expected = network
    script = Contender(PEERS / "torch_forward.py", (f"--data={file}", f"--freezing={freezing}"))
    running = Running(script, Setting(1, 1))
    try:
        assert running.rate_of(3) > 0
    finally:
        running.close()
    atol = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(running.told["logits"], expected, atol=atol)


# Of every pixel the place, and the number of its image: what became of it can be read.
ROWS, COLUMNS = np.mgrid[:32, :32]
PLACES = np.stack(
    [np.stack([4 * ROWS, 4 * COLUMNS, 0 * ROWS + 4 * n + 3], axis=-1) for n in range(64)]
).astype(np.uint8)
MEAN = PLACES.reshape(-1, 3).mean(axis=0)  # No byte, and what zero is after normalising.


def augmented(script, folder, policy=0, **options):
    """Two batches of 64 images of a script, as bytes, [128, 32, 32, 3]."""
    np.save(folder / "pixels.npy", PLACES)
    code = (
        f"import itertools, numpy as np, {script} as script\n"
        f"made = script.batches(np.load(sys.argv[1]), 64, {policy}, 1, **{options})\n"
        "made = [x[0] if isinstance(x, tuple) else x for x in itertools.islice(made, 2)]\n"
        "np.save(sys.argv[2], np.stack([np.array(x) for x in made]))\n"
    )
    in_a_process(code, folder / "pixels.npy", folder / "made.npy")
    made = np.load(folder / "made.npy")
    assert made.dtype == np.float32
    if script == "augment_torchvision":  # Channels first.
        made = made.transpose(0, 1, 3, 4, 2)
    assert made.shape == (2, 64, 32, 32, 3)
    unit = PLACES.reshape(-1, 3) / 255
    return 255 * (made.reshape(-1, 32, 32, 3) * unit.std(axis=0) + unit.mean(axis=0))


def read(image, border):
    """What was done to an image, of which every pixel is then explained.

    Returns:
      its number, whether it was mirrored, the move down and right, and of the square that was cut
      out its rows and columns, as far as they show.
    """
    cut = np.abs(image - MEAN).max(axis=-1) < 0.01
    kept = ~cut & (np.abs(image - border).max(axis=-1) > 0.01)
    places = np.round(image[kept]).astype(int) // 4
    mirrored = np.ptp(places[:, 1] + COLUMNS[kept]) == 0
    [down] = set(places[:, 0] - ROWS[kept])
    [right] = set((31 - places[:, 1] if mirrored else places[:, 1]) - COLUMNS[kept])
    [number] = set(places[:, 2])
    padded = np.broadcast_to(border, (40, 40, 3)).copy()
    padded[4:-4, 4:-4] = PLACES[number][:, ::-1] if mirrored else PLACES[number]
    moved = padded[4 + down :, 4 + right :][:32, :32]
    if border is MEAN:  # Then it does not show what was cut out of it.
        cut &= np.abs(moved - border).max(axis=-1) > 0.01
    rows, columns = (np.flatnonzero(cut.any(axis=axis)) for axis in (1, 0))
    square = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    expected = moved.copy()
    expected[square] = MEAN
    np.testing.assert_allclose(image, expected, atol=0.01)
    return number, mirrored, down, right, square


SCRIPTS = [
    ("augment_pil", {}),
    pytest.param("augment_ours", {}, marks=pytest.mark.long),
    pytest.param("augment_tf_image", {}, marks=pytest.mark.long),
    *(
        pytest.param("augment_torchvision", own, marks=(pytest.mark.long, needs("torchvision")))
        for own in ({}, {"pil": 1}, {"batched": 1})
    ),
]


@pytest.mark.parametrize(("script", "options"), SCRIPTS)
def test_every_peer_mirrors_moves_and_cuts_out(script, options, tmp_path):
    of_torchvision = script == "augment_torchvision"
    # It moves before it normalises, so that its border is black, and cuts out whole squares.
    border = 0 * MEAN if of_torchvision else MEAN
    images = augmented(script, tmp_path, **options)
    numbers, mirrored, down, right, squares = zip(*(read(i, border) for i in images), strict=True)
    assert len(set(numbers)) > 30, "drawn anew or shuffled"
    sizes = [tuple(side.stop - side.start for side in square) for square in squares]
    if of_torchvision:
        assert set(sizes) == {(16, 16)}
    else:
        assert np.max(sizes) == 16
        assert np.min(sizes) >= 4, "half of it may be beyond the image, a quarter in the border"
        whole = [s for s, q in zip(sizes, squares, strict=True) if min(q[0].start, q[1].start) > 4]
        assert (16, 16) in whole
    if options.get("batched"):
        for draws in (mirrored, down, right, [str(square) for square in squares]):
            assert all(len(set(draws[batch])) == 1 for batch in (slice(64), slice(64, None)))
        return
    assert 32 < sum(mirrored) < 96, "6 deviations from 64"
    assert set(down) == set(right) == set(range(-4, 5))
    assert len({square[0].start for square in squares}) > 8


@pytest.mark.long
@pytest.mark.parametrize(
    ("script", "options"), [s for s in SCRIPTS if "augment_tf_image" not in str(s)]
)
def test_autoaugment_comes_before_and_stays_within_bytes(script, options, tmp_path):
    images = augmented(script, tmp_path, policy=1, **options)
    kept = np.abs(images - MEAN).max(axis=-1) > 0.01
    values = images[kept]
    if script != "augment_ours":  # Which does not round, as its own tests say.
        np.testing.assert_allclose(values, np.round(values), atol=0.01)
    assert values.min() > -0.01
    assert values.max() < 255.01
    changed = [
        (np.round(image[own]).astype(int) % 4 != [0, 0, 3]).any()
        for image, own in zip(images, kept, strict=True)
    ]
    assert np.mean(changed) > 0.3, "they have colours that none had before"


@pytest.mark.long
def test_tensorflow_itself_has_no_autoaugment():
    command = [sys.executable, str(PEERS / "augment_tf_image.py"), "--policy=1"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "TensorFlow has no AutoAugment" in result.stderr.splitlines()[-1]


PAGE = """
import sys
import numpy as np
from spectral_tf import models, training
assert sys.argv[1:] == ["--steps=2"]
x = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
members = training.Ensemble(models.Mlp(4, 2).build, [0], (x, x))
for _ in range(3):
    members.train(2)
sys.exit("that was all")
"""


@pytest.mark.long
def test_a_timed_page_tells_when_its_trainer_came_and_worked(tmp_path):
    file, page = tmp_path / "times.json", tmp_path / "page.py"
    page.write_text(PAGE)
    begun = time.time()
    command = [sys.executable, str(PEERS / "timed_page.py"), str(begun), str(file), str(page)]
    result = subprocess.run([*command, "--steps=2"], capture_output=True, text=True)
    done = time.time() - begun
    assert "that was all" in result.stderr.splitlines()[-1]
    assert result.returncode == 1, "as of the page alone"
    told = json.loads(file.read_text())
    assert len(told["calls"]) == 3
    moments = [0, told["imported"], *itertools.chain(*(when for _, *when in told["calls"])), done]
    assert moments == sorted(moments)
    assert len(set(moments)) == len(moments)


@pytest.mark.long
def test_a_step_of_keras_fit_is_a_whole_execution():
    script = str(PEERS / "keras_fit.py")
    asked = [sys.executable, script, "--threads=1", *NETWORKS, "--steps_per_execution=15"]
    refused = subprocess.run(asked, capture_output=True, text=True)
    assert "expected a multiple of 15, got 20" in refused.stderr
    serving = [*asked, "--steps=0", "--serve"]
    served = subprocess.run(serving, input="2\n", capture_output=True, text=True)
    ready, done = served.stdout.splitlines()
    assert json.loads(ready.partition(" ")[2])["each"] == 2 * 15  # Members times updates.
    assert done.startswith("done ")


@pytest.mark.matrix
@pytest.mark.skipif(importlib.util.find_spec("optax") is None, reason="without jax and optax")
def test_what_a_gpu_is_asked_runs_on_a_cpu_and_learns_as_spectra_say(tmp_path):
    sizes = ("--members=2", "--width=8")
    for tf32 in (0, 1):
        script = [sys.executable, str(PEERS / "ours_exported.py"), *sizes, f"--tf32={tf32}"]
        program = tmp_path / "programs" / f"2_{tf32}"
        subprocess.run([*script, f"--export={program}"], check=True, capture_output=True)
    programs = [(tmp_path / "programs" / f"2_{tf32}" / "program").read_bytes() for tf32 in (0, 1)]
    assert programs[0] != programs[1], "one forbids that factors are rounded"
    asked = [sys.executable, str(PEERS / "on_gpu.py"), f"--programs={tmp_path / 'programs'}"]
    asked += [f"--folder={tmp_path / 'found'}", *sizes, "--networks=2", "--edge=64", "--rounds=2"]
    asked += ["--seconds=0.02", "--steps=20", "--look_every=10"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tables = {
        name: read_table(tmp_path / "found" / f"{name}.csv")
        for name in ("losses", "rates", "full", "learning_times")
    }
    names = {"ours", "JAX vmap"}
    assert names <= set(tables["losses"]["contender"])
    losses = np.array(tables["losses"]["loss"]).reshape(-1, 2)
    np.testing.assert_allclose(losses, losses[:1].repeat(len(losses), axis=0), rtol=1e-5)
    assert names | {"matrix product"} <= set(tables["rates"]["contender"])
    assert set(tables["full"]["steps"]) == {20}
    assert len(tables["learning_times"]["step"]) == 10 * 2 * len(tables["full"]["steps"])
    about = json.loads((tmp_path / "found" / "gpu.json").read_text())
    assert about["flags"]["width"] == 8
    assert not list((tmp_path / "found").glob("*.npz"))


def test_learning_times_on_a_gpu_are_those_of_spectra():
    code = """
import numpy as np, on_gpu
x, steps = np.arange(200) / 200, np.arange(100, 1100, 100)
rise = np.minimum(1, steps[:, None] / np.linspace(150, 2500, 10))  # [s, k]; the last never.
waves = np.sin(2 * np.pi * np.outer(on_gpu.FREQUENCIES, x) + 1)
print(on_gpu.learning_times(steps, np.stack([rise @ waves, rise[::-1] @ waves], 1)).tolist())
"""
    found = np.array(json.loads(in_a_process(code).replace("inf", "Infinity")))
    steps = np.arange(100, 1100, 100)
    rise = np.minimum(1, steps[:, np.newaxis] / np.linspace(150, 2500, 10))
    np.testing.assert_allclose(found[0], learning_times(steps, rise), rtol=1e-9)
    np.testing.assert_allclose(found[1], learning_times(steps, rise[::-1]), rtol=1e-9)
    assert np.isinf(found[0]).any()
