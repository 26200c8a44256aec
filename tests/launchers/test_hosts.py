"""Every page on every kind of host gives what it gives on one device."""

import numpy as np
import pytest
from conftest import launch, launch_on, two_devices, two_workers

from spectral_tf.records import read_table

NETWORK = ("--width=16", "--depth=3", "--learning_rate=0.003")
DIGITS = ("--dataset=digits",)
IMAGES = (*DIGITS, "--width=4", "--num_epochs=1", "--train_size=256", "--batch_size=64")
# Small flags of every page that trains or measures networks.
PAGES = {
    "lf_first": (*NETWORK, "--num_runs=3", "--num_steps=40", "--frequencies=1,4"),
    "manifold": (*NETWORK, "--num_runs=2", "--num_steps=40", "--lobes=0,4"),
    "manifold_grid": (
        *("--width=16", "--depth=3", "--num_steps=40", "--lobes=0,4", "--frequencies=2,5"),
        *("--num_samples=60", "--probe_every=20"),
    ),
    "architecture": (
        *("--num_steps=40", "--num_runs=1", "--probe_every=20", "--num_samples=60"),
        *("--widths=8,16", "--depths=3", "--sweeps=width,depth"),
    ),
    "robustness": (
        *NETWORK,
        *("--num_runs=2", "--num_steps=40", "--frequencies=1,4", "--num_norms=4"),
        "--num_directions=3",
    ),
    "theory": (
        *("--width=16", "--depth=3", "--wide_width=32", "--num_runs=2", "--num_steps=40"),
        *("--frequencies=1,2", "--num_samples=16", "--volume_networks=1000"),
    ),
    "kernel_projection": (
        *(*DIGITS, *NETWORK, "--num_samples=60", "--num_bins=12", "--num_steps=40"),
        *("--num_runs=2", "--probe_every=20"),
    ),
    "mnist_noise": (
        *(*DIGITS, *NETWORK, "--curves=0:0,0.1:0.5,1:0.5", "--num_steps=40", "--probe_every=20"),
    ),
    "mnist_manifold": (
        *(*DIGITS, *NETWORK, "--num_samples=80", "--code_size=4", "--autoencoder_width=32"),
        *("--autoencoder_steps=40", "--num_runs=2", "--num_steps=40"),
        *("--autoencoder_batch_size=32", "--probe_every=20"),
    ),
    "noise_fitting": (*IMAGES, "--cycles=1,4", "--seeds=1", "--checkpoint_epochs=1"),
    "interventions": (
        *(*IMAGES, "--pairs=2", "--between_pairs=1", "--num_samples=8", "--measured_epochs=1"),
        *("--num_epochs=2", "--sweeps=time,width,distillation", "--widths=2"),
    ),
    "class_diversity": (*IMAGES, "--pairs=4", "--num_samples=8", "--seeds=1"),
    "class_diversity_merged": (
        *(*IMAGES, "--pairs=3", "--between_pairs=1", "--num_samples=8", "--merges=1,5"),
        *("--random_groupings=1", "--groupings=similar,random"),
    ),
    "interpolation": (*IMAGES, "--pairs=2", "--between_pairs=1", "--drawn=2", "--seeds=1"),
    "fourier_sensitivity": (*IMAGES, "--num_images=64", "--norm=2", "--seeds=1"),
}
HOSTS = {
    "two workers": (two_workers, ()),
    "two devices": (two_devices, ("--strategy=mirrored",)),
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory, embedded_dir):
    """{page: folder of its run on one device}, each made when it is first asked for."""
    folders = {}

    def get(page):
        if page not in folders:
            folders[page] = tmp_path_factory.mktemp(page) / "run"
            flags = (*PAGES[page], f"--data_dir={embedded_dir}") if uses_data(page) else PAGES[page]
            result = launch(page, *flags, f"--workdir={folders[page]}")
            assert result.returncode == 0, result.stderr
        return folders[page]

    return get


def uses_data(page):
    return DIGITS[0] in PAGES[page]


@pytest.mark.parametrize("hosts", HOSTS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_gives_the_same_on(page, hosts, alone, embedded_dir, tmp_path):
    make, strategy = HOSTS[hosts]
    data = (f"--data_dir={embedded_dir}",) if uses_data(page) else ()
    results = launch_on(
        make(), page, *PAGES[page], *data, *strategy, f"--workdir={tmp_path / 'run'}"
    )
    assert [result.returncode for result in results] == [0] * len(results), results
    assert "run folder" in results[0].stdout
    expected = alone(page)
    tables = sorted(file.name for file in expected.glob("*.csv"))
    assert tables == sorted(file.name for file in (tmp_path / "run").glob("*.csv"))
    for table in tables:
        same(read_table(tmp_path / "run" / table), read_table(expected / table), table)


def same(found, expected, table):
    """Numbers to float32 sums in another order, texts to the letter."""
    assert list(found) == list(expected), table
    for name, values in expected.items():
        for ours, theirs in zip(found[name], values, strict=True):
            if isinstance(theirs, str) or isinstance(ours, str):
                assert ours == theirs, (table, name)
            else:
                where = f"{table}, {name}"
                np.testing.assert_allclose(ours, theirs, rtol=2e-2, atol=2e-3, err_msg=where)
