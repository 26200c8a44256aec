"""Every page on every kind of host gives what it gives on one device."""

import shutil

import numpy as np
import pytest
from boards import assert_board, described, listed
from conftest import ROOT, another_machine, in_memory, launch, launch_on, two_devices, two_workers
from test_package import without_tensorflow

from spectral_tf import catalogue
from spectral_tf.records import read_table
from spectral_tf.records.locks import lock

# This one is in every run of the suite; the rest of the matrix is for the longer ones.
ALWAYS = {("lf_first", "a bucket")}

NETWORK = ("--width=16", "--depth=3", "--learning_rate=0.003")
DIGITS = ("--dataset=digits",)
IMAGES = (*DIGITS, "--width=4", "--num_epochs=1", "--train_size=256", "--batch_size=64")
MANIFOLD = (
    *(*DIGITS, *NETWORK, "--num_samples=80", "--latent_dim=4", "--autoencoder_width=32"),
    *("--autoencoder_steps=40", "--num_runs=1", "--num_steps=40"),
    *("--autoencoder_batch_size=32", "--probe_every=20"),
)
# Pages that stand here twice, with other flags.
PAGE_OF = {"mnist_manifold_variational": "mnist_manifold"}
# Small flags of every page that trains or measures networks.
PAGES = {
    "lf_first": (*NETWORK, "--num_runs=3", "--num_steps=40", "--frequencies=1,4"),
    "manifold": (*NETWORK, "--num_runs=2", "--num_steps=40", "--petals=0,4"),
    "manifold_grid": (
        *("--width=16", "--depth=3", "--num_steps=40", "--petals=0,4", "--frequencies=2,5"),
        *("--num_samples=60", "--probe_every=20"),
    ),
    "architecture": (
        *("--num_steps=40", "--num_runs=1", "--probe_every=20", "--num_samples=60"),
        *("--widths=8,16", "--sweeps=width"),
    ),
    "precision": (
        *("--width=64", "--depth=3", "--frequencies=1,4", "--num_samples=60", "--num_runs=2"),
        *("--precisions=bfloat16", "--num_steps=40", "--probe_every=10", "--learning_rate=0.003"),
    ),
    "own_models": (
        *("--networks=siren,kan", "--optimizers=muon", "--learning_rates=0.003", "--num_runs=1"),
        *(
            "--num_steps=40",
            "--probe_every=20",
            "--width=16",
            "--depth=3",
            "--frequencies=1,4",
            "--num_samples=60",
        ),
    ),
    "robustness": (
        *NETWORK,
        *("--num_runs=2", "--num_steps=40", "--frequencies=1,4", "--num_norms=4"),
        "--num_directions=3",
    ),
    "untrained": ("--depths=2,3", "--scales=1,4", "--width=16", "--num_networks=3"),
    "theory": (
        *("--width=16", "--depth=3", "--wide_width=32", "--num_runs=2", "--num_steps=40"),
        *("--frequencies=1,2", "--num_samples=16", "--volume_networks=1000"),
        *("--sine_frequencies=1,2,4", "--sine_samples=32", "--sine_steps=10"),
        "--sine_runs=2",
    ),
    "kernel_projection": (
        *(*DIGITS, *NETWORK, "--num_samples=60", "--num_bins=12", "--num_steps=40"),
        *("--num_runs=2", "--probe_every=20"),
    ),
    "mnist_noise": (
        *(*DIGITS, *NETWORK, "--curves=0:0,0.1:0.5,1:0.5", "--num_steps=40", "--probe_every=20"),
        *("--waves=radial,random,principal", "--num_waves=2"),
    ),
    "mnist_manifold": MANIFOLD,
    "mnist_manifold_variational": (*MANIFOLD, "--autoencoder=variational"),
    "noise_fitting": (*IMAGES, "--cycles=1,4", "--seeds=1", "--checkpoint_epochs=1"),
    "interventions": (
        *(*IMAGES, "--pairs=2", "--between_pairs=1", "--num_samples=8", "--measured_epochs=1"),
        *("--num_epochs=2", "--sweeps=time,distillation"),
        *("--also_along=phase", "--jacobian_points=2"),
    ),
    "class_diversity": (*IMAGES, "--pairs=4", "--num_samples=8", "--seeds=1"),
    "class_diversity_merged": (
        *(*IMAGES, "--pairs=3", "--between_pairs=1", "--num_samples=8", "--merges=1,5"),
        *("--random_groupings=1", "--groupings=random"),
    ),
    "interpolation": (
        *(*IMAGES, "--pairs=2", "--between_pairs=1", "--drawn=2", "--seeds=1"),
        *("--jacobian_points=2", "--transforms=dft,dct,released"),
    ),
    "elastic_bands": (
        *(*DIGITS, "--width=4", "--num_epochs=4", "--seeds=2", "--images=4", "--num_samples=17"),
        *("--drawn=2", "--attack_norm=2", "--band_rate=0.0005"),
    ),
    "fourier_sensitivity": (*IMAGES, "--num_images=41", "--norm=2", "--seeds=1"),
}
# What is not compiled by XLA draws the noise inside a model by another algorithm.
ROUGH = {
    ("mnist_manifold", "another machine"): 0.3,
    ("mnist_manifold_variational", "another machine"): 0.3,
}
# What last bits do by themselves is measured there: the p-values of two runs turn with them.
LAST_BITS = ("precision.csv", "learning_time_ratios.csv")
# The last is one device, where operations give the same bits every time.
HOSTS = ("two workers", "two devices", "another machine", "a bucket", "deterministic")


@pytest.fixture(scope="module")
def alone(tmp_path_factory, embedded_dir):
    """{page: folder of its run on one device}, each made when it is first asked for."""
    folders = {}

    def get(page):
        if page not in folders:
            folders[page] = tmp_path_factory.mktemp(page) / "run"
            flags = (*PAGES[page], f"--data_dir={embedded_dir}") if uses_data(page) else PAGES[page]
            script = PAGE_OF.get(page, page)
            result = launch(script, *flags, f"--workdir={folders[page]}")
            assert result.returncode == 0, result.stderr
        return folders[page]

    return get


def uses_data(page):
    return DIGITS[0] in PAGES[page]


# One page is with the long tests on every kind of host, three more on one; every page on every kind
# is the matrix. Files are written by one room for all, and operations chosen by one flag, so that
# one experiment stands for the others there.
EVERYWHERE = ("lf_first",)
ONCE = {
    ("noise_fitting", "two workers"),
    ("mnist_noise", "two devices"),
    ("interpolation", "two workers"),
}


def marks(page, hosts):
    """When a case is run: always, with the long ones, or with the whole matrix."""
    if (page, hosts) in ALWAYS:
        return []
    own = page in EVERYWHERE or (page, hosts) in ONCE
    return pytest.mark.long if own else pytest.mark.matrix


@pytest.mark.parametrize(
    ("page", "hosts"),
    [
        pytest.param(page, hosts, marks=marks(page, hosts))
        for page in PAGES
        for hosts in HOSTS
        # Nothing is compiled on another machine's CPU, where it has no such products.
        if (page, hosts) != ("precision", "another machine")
    ],
)
def test_a_page_gives_the_same_on(page, hosts, alone, embedded_dir, tmp_path):
    script, flags = PAGE_OF.get(page, page), [*PAGES[page], f"--workdir={tmp_path / 'run'}"]
    flags += [f"--data_dir={embedded_dir}"] * uses_data(page)
    if hosts == "two workers":
        results = launch_on(two_workers(), script, *flags)
    elif hosts == "a bucket":
        flags[len(PAGES[page])] = "--workdir=ram://bucket/run"
        results = launch_on(in_memory(tmp_path / "run"), script, *flags, "--strategy=default")
    elif hosts == "two devices":
        results = launch_on(two_devices(), script, *flags, "--strategy=mirrored")
    elif hosts == "deterministic":
        results = [launch(script, *flags, "--deterministic")]
    else:
        there = tmp_path / "there"
        there.mkdir()
        # A relative folder: on the other machine, it would be one of that.
        relative = [f for f in flags if not f.startswith("--workdir")] + ["--workdir=run"]
        with another_machine(there) as (machine,):
            here = machine._replace(
                before=f"import os\nos.chdir({str(tmp_path)!r})\n{machine.before}"
            )
            results = launch_on([here], script, *relative, "--strategy=default")
        assert [result.returncode for result in results] == [0], results
        assert not list(there.iterdir()), "files were written on the other machine"
        assert list((tmp_path / "run" / "tensorboard").rglob("*tfevents*"))
    assert [result.returncode for result in results] == [0] * len(results), results
    assert "run folder" in results[0].stdout
    expected = alone(page)
    tables = sorted(file.name for file in expected.glob("*.csv"))
    assert tables == sorted(file.name for file in (tmp_path / "run").glob("*.csv"))
    if hosts == "a bucket":
        made, there = (
            {str(file.relative_to(run)) for file in run.rglob("*.*") if ".lock" not in file.name}
            for run in (expected, tmp_path / "run")
        )
        named = {name for name in made if "tfevents" not in name}
        assert named <= there, named - there
        assert len(there) == len(made), there ^ made
    for table in tables:
        if hosts == "a bucket":
            there = (tmp_path / "run" / table).read_bytes()
            assert there == (expected / table).read_bytes(), table
            continue
        found = read_table(tmp_path / "run" / table)
        same(found, read_table(expected / table), table, ROUGH.get((page, hosts), 0.02))


def same(found, expected, table, tolerance=0.02):
    """Numbers to float32 sums in another order, ends of intervals of few runs five times as far.

    Texts and counts to the letter.
    """
    assert list(found) == list(expected), table
    for name, values in expected.items():
        if table in LAST_BITS and name.endswith(("_p", "p_holm")):
            continue
        for ours, theirs in zip(found[name], values, strict=True):
            counted = name.startswith("num_") or name.endswith(("_n", "seed", "epoch"))
            if isinstance(theirs, str) or isinstance(ours, str) or counted:
                assert ours == theirs or ours != ours, (table, name)
            else:
                rtol = max(tolerance, 0.1 * name.endswith(("_low", "_high")))
                where = f"{table}, {name}"
                np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=2e-3, err_msg=where)


@pytest.mark.matrix
def test_overwriting_with_a_slow_chief_waits_for_it(alone, embedded_dir, tmp_path):
    flags = (*PAGES["noise_fitting"], f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}")
    assert launch("noise_fitting", *flags, "--seed=1").returncode == 0
    chief, worker = two_workers()
    slow = chief._replace(before="import time\ntime.sleep(4)")
    results = launch_on([slow, worker], "noise_fitting", *flags, "--overwrite")
    assert [result.returncode for result in results] == [0, 0], results
    for table in alone("noise_fitting").glob("*.csv"):
        found = read_table(tmp_path / "run" / table.name)
        same(found, read_table(table), table.name)


@pytest.mark.matrix
def test_two_workers_prepare_a_set_that_is_not_there(alone, tmp_path):
    page = "noise_fitting"
    flags = (*PAGES[page], f"--data_dir={tmp_path / 'data'}", f"--workdir={tmp_path / 'run'}")
    results = launch_on(two_workers(), page, *flags)
    assert [result.returncode for result in results] == [0, 0], results
    for table in alone(page).glob("*.csv"):
        same(read_table(tmp_path / "run" / table.name), read_table(table), table.name)


@pytest.mark.long
def test_a_folder_in_use_ends_all_hosts(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    with lock(path / ".lock"):
        results = launch_on(two_workers(), "lf_first", *PAGES["lf_first"], f"--workdir={path}")
    assert [result.returncode for result in results] == [2, 2], results
    assert "expected a folder that no other process works in" in results[0].stderr
    assert "another host has refused" in results[1].stderr
    assert not any("Traceback" in result.stderr for result in results)


@pytest.mark.matrix
@pytest.mark.parametrize("page", list(PAGES))
def test_tensorboard_has_of_every_page(page, alone):
    script = PAGE_OF.get(page, page)
    assert_board(alone(page), script)
    assert described(alone(page), script) == listed()[page]


def test_the_tags_of_every_page_are_listed():
    assert listed().keys() == catalogue.EXPERIMENTS.keys() | PAGE_OF.keys()


@pytest.mark.matrix
@pytest.mark.parametrize("page", list(PAGES))
def test_a_report_is_made_again_without_tensorflow(page, alone, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(alone(page), path)
    for file in path.glob("*.csv"):
        file.unlink()
    launcher = str(ROOT / "launchers" / f"{PAGE_OF.get(page, page)}.py")
    flags = [f"--flagfile={path / 'run.flags'}", f"--workdir={path}", "--report_only"]
    result = without_tensorflow(
        f"import runpy; sys.argv = {[launcher, *flags]!r}\n"
        f"runpy.run_path({launcher!r}, run_name='__main__')"
    )
    assert result.returncode == 0, result.stderr
    for table in alone(page).glob("*.csv"):
        assert (path / table.name).read_text() == table.read_text(), table.name
