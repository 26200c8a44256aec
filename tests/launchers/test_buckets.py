"""Pages on object stores, killed and started again, through the clients of the real ones."""

import os
import subprocess
import sys
import time

import emulators
import pytest
from conftest import ROOT, launch

_IMAGES = ("--dataset=digits", "--width=4", "--train_size=256", "--batch_size=64")
PAGES = {
    "lf_first": (
        *("--num_runs=2", "--width=16", "--depth=2", "--num_steps=3000", "--probe_every=100"),
    ),
    "noise_fitting": (
        *(*_IMAGES, "--cycles=1,4", "--seeds=1", "--num_epochs=6", "--checkpoint_epochs=6"),
    ),
    "interpolation": (
        *(*_IMAGES, "--pairs=2", "--between_pairs=1", "--drawn=2", "--seeds=2", "--num_epochs=6"),
    ),
}
STORES = {"s3": lambda _: emulators.s3(), "gs": emulators.google}


def cases():
    """One page on one of the stores with the long ones, every page on each with the matrix."""
    for store in STORES:
        for page in PAGES:
            one = (store, page) == ("gs", "noise_fitting")
            yield pytest.param(store, page, marks=pytest.mark.long if one else pytest.mark.matrix)


@pytest.fixture(scope="module")
def store(request, tmp_path_factory):
    """A bucket's address, and the variables by which it is found."""
    with STORES[request.param](tmp_path_factory.mktemp("store")) as variables:
        yield f"{request.param}://{emulators.BUCKET}", {**os.environ, **variables}


def command(page, *flags):
    return [sys.executable, str(ROOT / "launchers" / f"{page}.py"), *map(str, flags)]


def run(variables, *arguments):
    return subprocess.run(
        arguments, env=variables, capture_output=True, text=True, timeout=300, check=False
    )


_STATES = """
import sys
from spectral_tf import storage
print(sum(file.suffix == ".npz" for file in storage.files_under(sys.argv[1] + "/checkpoints")))
"""
_FETCH = """
import sys, shutil
from spectral_tf import storage
shutil.copytree(storage.here(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.parametrize(("store", "page"), list(cases()), indirect=["store"])
def test_a_killed_run_in_a_bucket_ends_in_the_tables_of_one_on_a_disk(
    page, store, embedded_dir, tmp_path
):
    bucket, variables = store
    flags = (*PAGES[page], "--save_every_seconds=1", f"--data_dir={embedded_dir}")
    flags = flags if "--dataset=digits" in flags else flags[:-1]
    alone = launch(page, *flags, f"--workdir={tmp_path / 'alone'}")
    assert alone.returncode == 0, alone.stderr
    workdir = f"{bucket}/{page}"
    started = command(page, *flags, f"--workdir={workdir}")
    process = subprocess.Popen(started, env=variables, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        if int(run(variables, sys.executable, "-c", _STATES, workdir).stdout or 0):
            break
    killed = process.poll() is None
    process.kill()
    told = process.communicate()[1]
    assert "files appear there whole" in told, told
    assert killed, "the run was over before it was killed"
    again = run(variables, *started)
    assert again.returncode == 0, again.stderr
    assert f"run folder: {workdir}" in again.stdout
    assert "left by a process that is gone" in again.stderr
    finished = run(variables, *started)
    assert "holds this run, finished" in finished.stdout
    brought = run(variables, sys.executable, "-c", _FETCH, workdir, str(tmp_path / "run"))
    assert brought.returncode == 0, brought.stderr
    for table in (tmp_path / "alone").glob("*.csv"):
        assert (tmp_path / "run" / table.name).read_bytes() == table.read_bytes(), table.name
    other = run(variables, *started, "--seed=1")
    assert other.returncode == 2
    assert "expected its own flags" in other.stderr.splitlines()[-1]


@pytest.mark.matrix
@pytest.mark.parametrize("store", STORES, indirect=True)
def test_a_network_in_a_bucket_is_measured_from_there(store, embedded_dir, tmp_path):
    bucket, variables = store
    data = f"--data_dir={embedded_dir}"
    teacher = f"{bucket}/teacher"
    trained = run(
        variables,
        *command("noise_fitting", *PAGES["noise_fitting"], data, f"--workdir={teacher}"),
    )
    assert trained.returncode == 0, trained.stderr
    files = run(variables, sys.executable, "-c", _FETCH, teacher, str(tmp_path / "teacher"))
    assert files.returncode == 0, files.stderr
    (network, *_) = sorted((tmp_path / "teacher").rglob("*.keras"))
    there = f"{teacher}/{network.relative_to(tmp_path / 'teacher')}"
    flags = ("--dataset=digits", data, "--pairs=2", "--between_pairs=1", "--drawn=2")
    here = run(
        variables,
        *command(
            "interpolation", *flags, f"--from_run={network}", f"--workdir={tmp_path / 'here'}"
        ),
    )
    assert here.returncode == 0, here.stderr
    remote = run(
        variables,
        *command("interpolation", *flags, f"--from_run={there}", f"--workdir={tmp_path / 'far'}"),
    )
    assert remote.returncode == 0, remote.stderr
    for table in (tmp_path / "here").glob("*.csv"):
        assert (tmp_path / "far" / table.name).read_bytes() == table.read_bytes(), table.name


@pytest.mark.long
@pytest.mark.parametrize("store", STORES, indirect=True)
def test_a_bucket_that_is_not_there_is_refused_in_a_line(store):
    bucket, variables = store
    missing = f"{bucket.partition('://')[0]}://no-such-bucket/run"
    refused = run(variables, *command("lf_first", *PAGES["lf_first"], f"--workdir={missing}"))
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    told = refused.stderr.strip().splitlines()[-1]
    assert told.startswith("lf_first.py: --workdir: expected a folder that can be")
    assert missing in told
