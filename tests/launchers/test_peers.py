"""Peers of the benchmarks do the same work as we do."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

PEERS = ROOT / "launchers" / "peers"


def losses(script, *options):
    """What a script prints after some steps, as a user runs it."""
    command = [sys.executable, str(PEERS / f"{script}.py"), "--threads=1", *options]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return np.array(json.loads(result.stdout.splitlines()[-1]))


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
        ("keras_fit", ("--steps_per_execution=10",)),
    ],
)
def test_every_peer_is_where_ours_is_after_twenty_steps(script, options, ours):
    np.testing.assert_allclose(losses(script, *NETWORKS, *options), ours, rtol=1e-5)


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
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import images_torch, numpy as np\n"
        "shapes = [(3, 3, i, o) for i, o in ((3, 4), (4, 8), (8, 16))]\n"
        "network = images_torch.convnet([np.zeros(s, np.float32) for s in shapes], 30, 10)\n"
        "print(sum(p.numel() for p in network.parameters()))\n"
    )
    command = [sys.executable, "-c", code, str(PEERS)]
    result = subprocess.run(command, capture_output=True, text=True)
    model = convnet(width=4, input_shape=(30, 30, 3))
    expected = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert result.stdout.split() == [str(expected)], result.stderr
