"""Small versions of the pages on images: embedded digits, own arrays, no network."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import conftest
import numpy as np
import pytest
from boards import assert_board
from conftest import ROOT, assert_estimates, assert_refused, estimated

from spectral_tf import spectra
from spectral_tf.data import find_images, to_unit
from spectral_tf.records import read_table
from spectral_tf.tasks import ACROSS, PrincipalAxes, RadialWave, TwoClasses, noise_wave

NETWORK = ("--width=32", "--depth=3", "--learning_rate=0.003")
SMALL = {
    "mnist_noise": ("--curves=0:0,0.1:0.5,1:0.5,1:2", "--num_steps=400", "--probe_every=20"),
    "kernel_projection": (
        *("--num_samples=60", "--num_bins=12", "--num_steps=400", "--num_runs=2"),
        "--probe_every=20",
    ),
    "mnist_manifold": (
        *("--num_samples=80", "--latent_dim=4", "--autoencoder_width=32"),
        *("--autoencoder_steps=200", "--num_runs=2", "--num_steps=400"),
        "--autoencoder_batch_size=32",
    ),
}
COLUMNS = {
    "mnist_noise": {
        "losses": [
            *("frequency", "noise_amplitude", "step"),
            *(*estimated("train_loss"), *estimated("validation_loss"), "wave"),
        ],
        "validation": [
            *("frequency", "convention", "noise_amplitude", *estimated("minimum"), "minimum_step"),
            *(*estimated("final"), *estimated("expected_floor"), "cycles_across_data", "wave"),
        ],
        "components": [
            *("wave", "frequency", "convention", "components", "share_of_image_variance"),
            *("share_of_noise_variance", "share_if_normal"),
        ],
    },
    "kernel_projection": {
        "losses": ["noise", "run", "step", "train_loss", "validation_loss"],
        "coefficients": ["noise", "step", "bin", *estimated("magnitude"), "function"],
    },
    "mnist_manifold": {
        "losses": ["cloud", "step", *estimated("loss")],
        "scale": ["cloud", "rms_norm"],
    },
}
# Whatever reaches for the network fails, and says so where the test looks for it.
NO_NETWORK = """
import runpy, socket, sys
def refuse(*arguments, **named):
    print("REACHED FOR THE NETWORK", file=sys.stderr)
    raise OSError("networking is off")
socket.create_connection = socket.getaddrinfo = socket.socket.connect = refuse
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def command(name, path, data_dir, *flags, before=()):
    return [
        *(sys.executable, *before, str(ROOT / "launchers" / f"{name}.py"), *SMALL[name], *NETWORK),
        *(f"--workdir={path}", f"--data_dir={data_dir}", *flags),
    ]


def launch(name, path, data_dir, *flags, before=()):
    line = command(name, path, data_dir, *flags, before=before)
    if not before:
        return conftest.launch(name, *line[2:])
    return subprocess.run(line, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    """{page: folder of its small run}, each made when it is first asked for."""
    folders = {}

    def get(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name) / "run"
            result = launch(name, folders[name], embedded_dir)
            assert result.returncode == 0, result.stderr
            lines = result.stdout.splitlines()
            assert not re.search(r"\bnan\b", result.stdout)
            assert f"run folder: {folders[name]}" in lines
            assert lines[-2].startswith("look at it: tensorboard --logdir=")
            summary = json.loads((folders[name] / "summary.json").read_text())
            assert lines[-1] == summary["headline"] != ""
            # The first line of the log says what the data are.
            first = next(line for line in result.stderr.splitlines() if line.startswith("I"))
            assert first.endswith(
                "data set: digits (embedded: 1,797 handwritten digits of 8 x 8 pixels from "
                "scikit-learn, not MNIST)"
            )
        return folders[name]

    return get


@pytest.mark.parametrize("name", SMALL)
def test_a_page_leaves_its_records_and_they_name_the_data(name, finished):
    path = finished(name)
    summary = json.loads((path / "summary.json").read_text())
    assert summary["experiment"] == name
    assert summary["dataset"].startswith("digits (embedded")
    environment = json.loads((path / "environment.json").read_text())
    assert "not MNIST" in environment["data"]["dataset"]
    assert environment["data"]["version"] == "digits/1.0.0"
    assert environment["data"]["normalisation"]["source"] == "none: pixels in [0, 1]"
    for table, columns in COLUMNS[name].items():
        assert list(read_table(path / f"{table}.csv"))[: len(columns)] == columns
    assert_estimates(path)
    assert len(list((path / "figures").iterdir())) >= 2
    assert_board(path, name)
    assert "--data_dir" not in (path / "run.flags").read_text()


@pytest.mark.sampled
@pytest.mark.parametrize("name", SMALL)
def test_a_killed_page_ends_in_the_same_tables(name, finished, tmp_path, embedded_dir):
    path = tmp_path / "killed"
    with subprocess.Popen(
        command(name, path, embedded_dir, "--save_every_seconds=1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        until = time.monotonic() + 300
        while not (path / "checkpoints").exists() and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (path / "summary.json").exists(), "the kill came too late to test anything"
    result = launch(name, path, embedded_dir, "--save_every_seconds=1")
    assert result.returncode == 0, result.stderr
    for table in finished(name).glob("*.csv"):
        assert (path / table.name).read_text() == table.read_text(), table.name


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_a_page_killed_before_its_summary_reports_the_same(name, finished, tmp_path, embedded_dir):
    path = tmp_path / "unreported"
    shutil.copytree(finished(name), path)
    for file in (path / "summary.json", *path.glob("*.csv"), *(path / "figures").iterdir()):
        file.unlink()
    result = launch(name, path, embedded_dir)
    assert result.returncode == 0, result.stderr
    for made in (*finished(name).glob("*.csv"), *(finished(name) / "figures").iterdir()):
        again = path / made.relative_to(finished(name))
        assert again.read_bytes() == made.read_bytes(), made.name


@pytest.mark.long
def test_without_a_network_embedded_data_serve_and_missing_data_are_told(tmp_path):
    script = tmp_path / "no_network.py"
    script.write_text(NO_NETWORK)
    before = (str(script),)
    # Prepared here and now, in a folder of its own.
    result = launch(
        "mnist_noise", tmp_path / "run", tmp_path / "data", "--num_steps=2", before=before
    )
    assert result.returncode == 0, result.stderr
    assert "REACHED" not in result.stderr
    mnist = "--dataset=mnist"
    for flags, reaches in (((mnist,), False), ((mnist, "--download"), True)):
        result = launch("mnist_noise", tmp_path / "none", tmp_path / "data", *flags, before=before)
        assert result.returncode == 2
        assert "data set mnist: expected a prepared copy in" in result.stderr.splitlines()[-1]
        assert ("REACHED" in result.stderr) == reaches
        assert not (tmp_path / "none").exists()


def test_the_noise_page_measures_what_closed_forms_say(finished, embedded_dir):
    path = finished("mnist_noise")
    pixels, labels = find_images("digits", data_dir=str(embedded_dir)).arrays()
    training, validation = TwoClasses.of_images(to_unit(pixels), labels).split(0.8)
    table = read_table(path / "losses.csv")
    columns = ("frequency", "noise_amplitude", "step", "train_loss", "validation_loss")
    rows = list(zip(*(table[c] for c in columns), strict=True))
    for k, beta in ((0.0, 0.0), (0.1, 0.5), (1.0, 0.5), (1.0, 2.0)):
        psi = RadialWave(k)(training.inputs)
        start = next(row for row in rows if row[:3] == (k, beta, 0))
        # Untrained networks are nearly the constant c: mean (tau + beta psi)^2 + c^2 - 2 c mean.
        assert abs(start[3] - np.mean((training.signs + beta * psi) ** 2)) < 0.35
        assert abs(start[4] - 1) < 0.15
    summary = read_table(path / "validation.csv")
    clean = dict(zip(summary["noise_amplitude"], summary["final"], strict=True))[0]
    for k, beta, floor, last in zip(
        *(summary[c] for c in ("frequency", "noise_amplitude", "expected_floor", "final")),
        strict=True,
    ):
        noise = beta**2 * np.mean(RadialWave(k)(validation.inputs) ** 2)
        np.testing.assert_allclose(floor, clean + noise)
        if beta:  # Fast noise is fitted but not at the validation points; slow noise is at both.
            assert 0.4 < last / floor < 1.6
    best = {
        (k, beta): lowest
        for k, beta, lowest in zip(
            *(summary[c] for c in ("frequency", "noise_amplitude", "minimum")), strict=True
        )
    }
    assert best[1, 0.5] < 0.7 * best[0.1, 0.5]  # Fast noise leaves a dip, slow noise none.
    # Both networks and images were drawn: the interval is over both, its number says so.
    crossed = spectra.crossed_mean(np.zeros((2, 3)))
    told = f"{crossed.method}, over runs x {len(validation)} images"
    assert "runs and images" in told
    assert set(summary["final_method"]) == set(table["validation_loss_method"]) == {told}
    assert set(summary["final_n"]) == {2}
    assert set(table["train_loss_method"]) == {"Student, stretched for skewness, over runs"}


PLANES = (
    *("--waves=principal,random", "--convention=cycles_across_data", "--curves=0:0,0.3:1,9:1"),
    *("--num_runs=2", "--num_waves=2"),
)


@pytest.mark.long
def test_plane_waves_are_what_closed_forms_say(tmp_path, embedded_dir):
    result = launch("mnist_noise", tmp_path / "run", embedded_dir, *PLANES)
    assert result.returncode == 0, result.stderr
    pixels, labels = find_images("digits", data_dir=str(embedded_dir)).arrays()
    training, validation = TwoClasses.of_images(to_unit(pixels), labels).split(0.8)
    axes = PrincipalAxes.of(training.inputs)
    table = read_table(tmp_path / "run" / "validation.csv")
    # The clean target once, then two frequencies of two kinds, in cycles across the data.
    assert list(table["wave"]) == ["principal"] * 3 + ["random"] * 2
    np.testing.assert_allclose(table["cycles_across_data"], [0, 0.3, 9, 0.3, 9])
    clean = table["final"][0]
    for i, cycles in ((1, 0.3), (2, 9.0)):
        wave = noise_wave(cycles, ACROSS, training.inputs, axes.directions[:2])
        power = np.mean(wave(validation.inputs) ** 2)
        np.testing.assert_allclose(table["expected_floor"][i], clean + power)
        assert abs(table["final"][i] / (clean + power) - 1) < 0.5
    parts = read_table(tmp_path / "run" / "components.csv")
    assert set(parts["convention"]) == {ACROSS}
    seen = {
        (wave, k, p): (share, normal)
        for wave, k, p, share, normal in zip(
            *(parts[c] for c in ("wave", "frequency", "components")),
            *(parts[c] for c in ("share_of_noise_variance", "share_if_normal")),
            strict=True,
        )
    }
    # Slow waves along two axes are nearly linear in them, and the first axis alone has half of
    # that; fast ones are not. Random directions have little in the first axes.
    for share, half in zip(seen["principal", 0.3, 2], seen["principal", 0.3, 1], strict=True):
        assert share > 0.9
        assert half < 0.7
    assert max(seen["principal", 9, 20]) < 0.2
    assert max(seen["random", 0.3, 2]) < 0.7
    for shares in seen.values():
        assert -1e-9 < min(shares) <= max(shares) < 1 + 1e-9


def test_the_kernel_page_measures_what_closed_forms_say(finished):
    path = finished("kernel_projection")
    summary = json.loads((path / "summary.json").read_text())
    np.testing.assert_allclose(summary["sum_of_squared_coefficients_of_the_clean_target"], 60)
    fitted = summary["high_frequency"]["validation_loss_if_noise_is_fitted"]
    assert abs(fitted["value"] - 0.2) < 0.01
    table = read_table(path / "losses.csv")
    for noise in ("white", "high_frequency"):
        facts = summary[noise]
        # The noise is fitted in the end, and the clean target was nearer before.
        facts = {name: f["value"] for name, f in facts.items() if isinstance(f, dict)}
        final = facts["final_validation_loss"]
        assert abs(final - facts["validation_loss_if_noise_is_fitted"]) < 0.05
        assert facts["final_train_loss"] < 0.02
        assert facts["dip_validation_loss"] < final / 2
        # The late half of the spectrum follows the clean target first, the noised one later.
        assert (
            facts["late_bins_distance_to_clean_at_dip"]
            < facts["late_bins_distance_to_noised_at_dip"]
        )
        assert (
            facts["late_bins_distance_to_noised_at_end"]
            < facts["late_bins_distance_to_clean_at_end"]
        )
        of_noise = [i for i, n in enumerate(table["noise"]) if n == noise]
        assert len(of_noise) == 2 * len({table["step"][i] for i in of_noise})
    coefficients = read_table(path / "coefficients.csv")
    assert set(coefficients["function"]) == {"network", "clean_target", "noised_target"}
    assert set(coefficients["bin"]) == set(range(12))
    of_target = np.equal(coefficients["function"], "clean_target")
    assert np.all(np.isnan(np.array(coefficients["magnitude_low"])[of_target]))
    assert set(np.array(coefficients["magnitude_method"])[of_target]) == {
        "none: given, not drawn, over target"
    }


def test_the_manifold_page_matches_scales_and_says_them(finished):
    path = finished("mnist_manifold")
    table = read_table(path / "scale.csv")
    size = {
        cloud: (norm, distance)
        for cloud, norm, distance in zip(
            table["cloud"], table["rms_norm"], table["rms_distance"], strict=True
        )
    }
    for cloud in ("flat, same scale", "flat, same covariance"):
        np.testing.assert_allclose(size[cloud], size["manifold"], rtol=0.08)
    losses = read_table(path / "losses.csv")
    start = [loss for loss, step in zip(losses["loss"], losses["step"], strict=True) if step == 0]
    # Four clouds; E (f - U(0, 1))^2 of an untrained network near 0 is near 1/3.
    assert len(start) == 4
    assert all(0.15 < loss < 0.55 for loss in start)
    summary = json.loads((path / "summary.json").read_text())
    assert 0 < summary["share_of_variance_the_autoencoder_misses"] < 0.9
    # The step at which half is fitted: there the mean loss is half of the variance, 1 / 24.
    for cloud, fitted in summary["half_fitted_at_step"].items():
        of_cloud = [i for i, name in enumerate(losses["cloud"]) if name == cloud]
        steps, loss = (np.array([losses[c][i] for i in of_cloud]) for c in ("step", "loss"))
        if fitted["value"] == "never":
            assert loss.min() > 1 / 24
        else:
            assert np.interp(fitted["value"], steps, loss) == pytest.approx(1 / 24)
        assert fitted["method"].startswith("crossings of the band: Student")


@pytest.mark.long
def test_a_variational_autoencoder_has_a_bound_and_clouds_of_its_scale(tmp_path, embedded_dir):
    flags = ("--autoencoder=variational", "--num_steps=40", "--autoencoder_steps=600")
    result = launch("mnist_manifold", tmp_path / "run", embedded_dir, *flags)
    assert result.returncode == 0, result.stderr
    assert "evidence lower bound" in result.stdout
    assert "nats an image that it was trained on" in result.stdout
    table = read_table(tmp_path / "run" / "scale.csv")
    size = dict(zip(table["cloud"], table["rms_distance"], strict=True))
    for cloud in ("flat, same scale", "flat, same covariance"):
        np.testing.assert_allclose(size[cloud], size["manifold"], rtol=0.08)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["code_dimensions_in_use"] == 4
    assert summary["divergence_nats"] > 4
    # What a normal of one variance for all pixels has at best, without any code.
    pixels, _ = find_images("digits", data_dir=str(embedded_dir)).arrays()
    images = to_unit(pixels).reshape(len(pixels), -1)[:80]
    without = -32 * np.log(2 * np.pi * 0.1**2) - ((images - images.mean(0)) ** 2).sum(1) / 0.02
    bound = summary["evidence_lower_bound_nats"]
    assert bound["low"] > without.mean()
    assert bound["n"] == 80


# Flagfiles of the published scale, and what makes them small: fewer steps, smaller networks.
LARGE = {
    "mnist_noise/waves_5000_steps": (*NETWORK, "--num_steps=2", "--num_runs=1"),
    "mnist_manifold/variational_10_runs": (
        *(*NETWORK, "--num_steps=2", "--num_runs=1", "--autoencoder_steps=2"),
        "--autoencoder_width=32",
    ),
}


@pytest.mark.matrix
@pytest.mark.parametrize("file", LARGE)
def test_the_flags_for_the_published_scale_take_their_first_steps(file, tmp_path, mnist_dir):
    given = f"--flagfile={ROOT / 'results' / file}.flags"
    name = file.split("/")[0]
    flags = (given, *LARGE[file], f"--data_dir={mnist_dir}", f"--workdir={tmp_path / 'run'}")
    result = conftest.launch(name, *flags)
    assert result.returncode == 0, result.stderr
    losses = read_table(tmp_path / "run" / "losses.csv")
    column = "train_loss" if name == "mnist_noise" else "loss"
    assert np.isfinite(losses[column]).all()
    assert set(losses["step"]) == {0, 2}


@pytest.mark.sampled
@pytest.mark.parametrize("name", SMALL)
def test_a_page_runs_on_ones_own_arrays(name, tmp_path, embedded_dir):
    rng = np.random.default_rng(0)
    labels = rng.choice([3, 8], size=120)
    vectors = np.clip(rng.normal(size=(120, 10)) / 8 + (labels == 8)[:, np.newaxis] / 2, 0, 1)
    own = tmp_path / "own.npz"
    np.savez(own, x=vectors, y=labels)
    result = launch(name, tmp_path / "run", embedded_dir, f"--dataset=npz:{own}", "--num_steps=20")
    assert result.returncode == 0, result.stderr
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["data"]["dataset"] == f"npz:{own}"
    assert len(environment["data"]["version"]) == 64
    np.savez(own, x=vectors + 1, y=labels)
    result = launch(name, tmp_path / "no", embedded_dir, f"--dataset=npz:{own}")
    assert result.returncode == 2
    assert "floats from 0 to 1" in result.stderr
    assert not (tmp_path / "no").exists()


MISTAKES = [
    ("mnist_noise", ("--curves=0.1",), "--curves: expected pairs frequency:amplitude"),
    ("mnist_noise", ("--curves=",), "--curves: expected pairs"),
    ("mnist_noise", ("--curves=1:1,1:1",), "each once"),
    ("mnist_noise", ("--curves=nan:1",), "--curves: expected pairs"),
    ("mnist_noise", ("--curves=1:-1",), "--curves: expected pairs"),
    ("mnist_noise", ("--waves=plane",), "--waves: expected some of radial, random, principal"),
    ("mnist_noise", ("--waves=random,random",), "each once"),
    ("mnist_noise", ("--num_waves=65", "--waves=principal"), "--num_waves: expected at most"),
    ("mnist_noise", ("--classes=3",), "--classes: expected two labels, got 3"),
    ("mnist_noise", ("--classes=3,3",), "--classes: expected whole numbers"),
    ("mnist_noise", ("--classes=3,11",), "--classes: expected two different labels that occur"),
    ("mnist_noise", ("--train_share=1",), "--train_share: expected examples of both classes"),
    ("mnist_noise", ("--convention=hertz",), "one of cycles, radians and cycles_across_data"),
    ("mnist_noise", ("--dataset=cifar11",), "did you mean cifar10"),
    ("mnist_noise", ("--dataset=cifar10",), "data set cifar10: expected a prepared copy in"),
    ("kernel_projection", ("--noises=pink",), "--noises: expected some of white"),
    ("kernel_projection", ("--num_samples=9999",), "--num_samples: expected 2 to 287"),
    ("kernel_projection", ("--num_bins=61",), "--num_bins: expected at most 60"),
    ("kernel_projection", ("--kernel_width=0",), "--kernel_width"),
    ("kernel_projection", ("--num_eigenfunctions=9",), "--num_eigenfunctions: expected 0 with"),
    (
        "kernel_projection",
        ("--eigensolver=truncated", "--num_eigenfunctions=61"),
        "kernel basis: expected",
    ),
    ("mnist_manifold", ("--latent_dim=65",), "--latent_dim: expected at most 64"),
    ("mnist_manifold", ("--num_samples=1438",), "--num_samples: expected at most 1,437"),
    ("mnist_manifold", ("--autoencoder_batch_size=9999",), "--autoencoder_batch_size"),
    ("mnist_manifold", ("--autoencoder=sparse",), "one of denoising and variational"),
    ("mnist_manifold", ("--autoencoder=variational", "--output_std=0"), "--output_std"),
    (
        "mnist_manifold",
        ("--autoencoder=variational", "--noise_std=0.2"),
        "--noise_std: expected an --autoencoder that it is for, got 0.2 with",
    ),
    ("mnist_manifold", ("--output_std=0.2",), "--output_std: expected an --autoencoder that it is"),
    ("mnist_manifold", ("--dataset=npz:nowhere.npz",), "a readable npz file"),
]


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_mistakes_get_one_line_and_nothing_is_written(name, tmp_path, embedded_dir):
    own = [(flags, line) for page, flags, line in MISTAKES if page == name]
    for flags, line in own:
        assert_refused(launch(name, tmp_path / "new", embedded_dir, *flags), line)
    assert not (tmp_path / "new").exists()
