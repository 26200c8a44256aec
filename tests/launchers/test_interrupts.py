"""Ctrl-C ends launchers and all that they have started, wherever they are."""

import signal
import subprocess
import sys
import time

import psutil
import pytest
from conftest import ROOT

TINY = {
    "benchmark_paths": (
        *("--dataset=digits", "--width=2", "--num_rounds=2", "--pairs=1", "--round_pairs=1"),
        *("--num_samples=8", "--many_pairs=3,9", "--num_processes=40", "--batch_size=100"),
    ),
    "benchmark": ("--members=1", "--width=16", "--num_samples=16", "--num_rounds=9"),
    "benchmark_scaling": ("--curves=kernel_full", "--kernel_images=250,500", "--seconds=60"),
}


def family(pid):
    """A process and all below it, but for what only waits for our end."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def works_below(pid, command):
    """Whether there is a process below with such a command."""
    for process in family(pid)[1:]:
        try:
            if command in " ".join(process.cmdline()):
                return True
        except psutil.Error:
            continue
    return False


def started(page, *flags):
    """A launcher that hears SIGINT, which those in the background of a shell do not."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "launchers" / f"{page}.py"), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("page", "child"),
    [
        # The program of a peer that still compiles; a fresh process that measures.
        ("benchmark_paths", "torch_forward"),
        ("benchmark_paths", "multiprocessing.spawn"),
        ("benchmark", "peers/ours"),
        ("benchmark_scaling", "multiprocessing.spawn"),
    ],
)
def test_children_end_with_an_interrupted_launcher(page, child, request, tmp_path):
    if child == "torch_forward":
        pytest.importorskip("torch")
    flags = [*TINY[page], f"--workdir={tmp_path / 'run'}"]
    if "--dataset=digits" in flags:
        flags.append(f"--data_dir={request.getfixturevalue('embedded_dir')}")
    with started(page, *flags) as process:
        try:
            while not works_below(process.pid, child):
                assert process.poll() is None, process.stderr.read().decode()
                time.sleep(0.2)
            time.sleep(1)
            below = family(process.pid)[1:]
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err.decode()
    (line,) = [line for line in err.decode().splitlines() if "interrupted" in line]
    assert line.startswith(f"{page}.py: interrupted; the same command")
    assert "Traceback" not in err.decode()
    _, left = psutil.wait_procs(below, timeout=20)
    assert left == []


@pytest.mark.long
def test_a_training_that_compiles_is_left_within_seconds(tmp_path):
    """Before its first step there is nothing to save: nobody waits for the compiler."""
    with started("architecture", "--quiet", f"--workdir={tmp_path / 'run'}") as process:
        try:
            while not (tmp_path / "run" / "environment.json").exists():
                assert process.poll() is None, process.stderr.read().decode()
                time.sleep(0.2)
            time.sleep(3)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert not (tmp_path / "run" / "summary.json").exists()
