"""Requests beyond memory or the type of a number are refused with the number that fits."""

import resource
import subprocess
import sys

import pytest
from conftest import ROOT, assert_refused

from spectral_tf.errors import UserError
from spectral_tf.runtime import limits

NETWORK = {"width": 1000, "depth": 4, "num_runs": 1}
USUAL = {"width": 1000, "depth": 4, "num_runs": 1, "num_steps": 10, "probe_every": 1}
USUAL |= {"seeds": 2, "directions": 1, "num_epochs": 20}


def refuse(there, on_host=True, **given):
    limits.refuse(given, USUAL, there, on_host=on_host)


def test_the_largest_number_that_fits_is_the_one_by_hand():
    # Two square matrices and two rows, with a moment each, of 4 bytes.
    of_one = 2 * 4 * (2 * 1000**2 + 2 * 1000)
    refuse(10 * of_one, **{**NETWORK, "num_runs": 10, "depth": 4})
    with pytest.raises(UserError, match="--num_runs: expected at most 10 beside .* got 11;"):
        refuse(10 * of_one, **{**NETWORK, "num_runs": 11})
    # A device holds the moments; the host only what it begins with.
    refuse(10 * of_one, on_host=False, **{**NETWORK, "num_runs": 20})
    with pytest.raises(UserError, match="at most 20 beside"):
        refuse(10 * of_one, on_host=False, **{**NETWORK, "num_runs": 21})


def test_the_flag_that_is_farthest_from_its_default_is_named():
    with pytest.raises(UserError, match="^--width: .*got 5,000; the weights of the networks"):
        refuse(1e8, width=5_000, depth=4, num_runs=2)
    with pytest.raises(UserError, match="^--depth: .* at most 100 beside .* while they are comp"):
        refuse(100e6, width=1, depth=101, num_runs=1)
    with pytest.raises(UserError, match="^--width and --num_runs: expected what 0.0 GB"):
        refuse(10, width=5_000, depth=4, num_runs=2)


def test_what_is_measured_counts_by_its_steps():
    refuse(1000 * 48, num_steps=1000, probe_every=1)
    with pytest.raises(UserError, match="^--num_steps: expected at most 1,000 beside"):
        refuse(1000 * 48, num_steps=1001, probe_every=1)
    refuse(1000 * 48, num_steps=2000, probe_every=2)


def test_what_trainings_on_waves_predict_counts():
    # Of each seed a wave and the control, after three epochs and before, 100 images in 8 bytes.
    of_one = 2 * 4 * 100 * 8
    refuse(10 * of_one, seeds=5, directions=2, num_epochs=3)
    with pytest.raises(UserError, match="^--seeds: expected at most 5 beside .* got 6; what the n"):
        refuse(10 * of_one, seeds=6, directions=2, num_epochs=3)


def test_what_a_32_bit_number_does_not_hold_is_refused_but_for_seeds():
    refuse(1e30, num_steps=2**31 - 1, seed=2**70)
    with pytest.raises(UserError, match="^--num_steps: expected at most 2,147,483,647, .* got 10,"):
        refuse(1e30, num_steps=10**19)


def test_a_page_of_other_networks_is_not_counted_as_perceptrons():
    refuse(1e6, width=5_000, depth=4, num_runs=2, networks=3)


def test_memory_is_that_of_the_machine_or_less():
    assert 1e8 < limits.memory() < 1e15


@pytest.mark.parametrize(
    ("flag", "most"),
    [
        ("--num_runs=1000000000", "--num_runs: expected at most"),
        ("--depth=10000000", "--depth: expected at most"),
        ("--width=10000000", "--width: expected at most"),
        (f"--num_steps={10**19}", "--num_steps: expected at most 2,147,483,647"),
    ],
)
def test_a_launcher_refuses_before_anything_is_built(flag, most, run_launcher, tmp_path):
    result = run_launcher(
        "lf_first", flag, f"--workdir={tmp_path / 'run'}", python=("-X", "importtime")
    )
    assert_refused(result, most)
    assert "| tensorflow" not in result.stderr.replace("  ", " ")
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_an_address_space_too_narrow_for_tensorflow_is_told(tmp_path):
    size = 2_000_000 * 1024
    result = subprocess.run(
        [sys.executable, str(ROOT / "launchers" / "lf_first.py"), f"--workdir={tmp_path / 'run'}"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)),
    )
    assert_refused(result, "expected 2.6 GB or more, which TensorFlow takes to load and compile")
    assert "got 2.0 GB (ulimit -v); raise the limit" in result.stderr
    assert len(result.stderr.splitlines()) == 1
