"""Every fault at every moment: nothing saved is lost, nothing half-written looks whole.

The rerun ends in the tables of a run that nothing happened to. `tests/fault_table.py` makes a table
of a run of these tests.
"""

import json
import shutil
import subprocess
from typing import NamedTuple

import conftest
import pytest
from conftest import Host, launch, launch_on
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

pytestmark = pytest.mark.faults

SMALL = {
    "lf_first": (
        *("--num_runs=2", "--num_steps=60", "--width=16", "--depth=3", "--num_samples=24"),
        *("--frequencies=1,4", "--probe_every=20", "--norms_every=20", "--learning_rate=0.01"),
    ),
    "noise_fitting": (
        *("--dataset=digits", "--width=4", "--num_epochs=1", "--train_size=256"),
        *("--batch_size=64", "--cycles=1", "--seeds=1", "--checkpoint_epochs=1"),
    ),
}

# Run first in the process of a launcher: it saves after every call of the device, and what follows
# happens to it once. Whoever writes a file looks `atomic_write` up after this.
PREPARE = """
import contextlib, errno, os, resource, shutil, signal, subprocess, sys, time
from spectral_tf import storage
happened = []
def happen():
    if not happened:
        happened.append(True)
        {fault}
write, writes = storage.atomic_write, []
@contextlib.contextmanager
def faulty_write(path):
    found = os.path.basename(os.fspath(path)).startswith("{file}")
    writes.extend([path] * found)
    due = found and len(writes) == {at}
    if due and {before}:
        happen()
    with write(path) as temporary:
        yield temporary
        if due and not {before}:
            whole = temporary.read_bytes()
            temporary.write_bytes(whole[: len(whole) // 2])
            happen()
            temporary.write_bytes(whole)
storage.atomic_write = faulty_write
from spectral_tf.experiments import page as pages
pages.save_every = lambda: 0.0
from spectral_tf.training import loop
train = loop.TrainingLoop._train_piece
def faulty_train(self, until):
    train(self, until)
    if self.ensemble.step >= {step}:
        happen()
loop.TrainingLoop._train_piece = faulty_train
"""
NEVER = 10**9


class Moment(NamedTuple):
    """When something happens to a run.

    Attributes:
      file: how the name of the file begins that is written then.
      at: which such file.
      before: whether before it is written, else when half of it is.
      step: of the training, instead.
    """

    file: str = "-"
    at: int = 1
    before: bool = False
    step: int = NEVER

    def host(self, fault):
        """A process to which it happens."""
        return Host(before=PREPARE.format(**self._asdict(), fault=fault))


MOMENTS = {
    "step": Moment(step=2),
    "save": Moment("state", 2),
    "between events and state": Moment("state", 2, before=True),
    "found": Moment("found"),
    "report": Moment("losses.csv"),
    "figure": Moment("losses.png"),
    "summary": Moment("summary.json"),
}
LOOP = ("step", "save", "between events and state", "model")
KILL = "os.kill(os.getpid(), signal.{})"
FAULTS = {
    "SIGKILL": KILL.format("SIGKILL"),
    "SIGTERM": KILL.format("SIGTERM"),
    "SIGINT": KILL.format("SIGINT"),
    "full disk": "raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))",
    "I/O error": "raise OSError(errno.EIO, os.strerror(errno.EIO))",
}
OF_IMAGES = {
    "model": Moment("epoch"),
    "report": Moment("waves.csv"),
    "figure": Moment("epochs.png"),
}


def flags_of(page, path, embedded_dir):
    data = [f"--data_dir={embedded_dir}"] * (page == "noise_fitting")
    return [*SMALL[page], *data, f"--workdir={path}"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, embedded_dir):
    """{page: folder of its run to which nothing happened}, each made when first asked for."""
    folders = {}

    def get(page):
        if page not in folders:
            folders[page] = tmp_path_factory.mktemp(page) / "run"
            saves = Moment().host("pass")
            (result,) = launch_on([saves], page, *flags_of(page, folders[page], embedded_dir))
            assert result.returncode == 0, result.stderr
        return folders[page]

    return get


@pytest.fixture(autouse=True)
def told(record_property, request):
    """What the table of faults says of a test."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    for name in ("fault", "moment", "page"):
        record_property(name, str(parameters.get(name, "")))


def assert_a_line(result, status, line=""):
    """That it ended so, with a last line of its own and no traceback."""
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert result.returncode == status, lines
    assert "Traceback" not in result.stderr, result.stderr
    if line:
        assert line in lines[-1], lines


def events_of(path):
    """Every tag with its steps, sorted: segments of one second have no order that names tell."""
    files = sorted(file for file in (path / "tensorboard").rglob("*tfevents*") if file.is_file())
    events = [event for file in files for event in LegacyEventFileLoader(str(file)).Load()]
    return sorted((value.tag, event.step) for event in events for value in event.summary.value)


def assert_ends_as(page, whole, path, embedded_dir, events=True):
    """That the same command ends in the tables and the events of a run without faults."""
    result = launch(page, *flags_of(page, path, embedded_dir))
    assert_a_line(result, 0)
    names = sorted(file.name for file in whole.glob("*.csv"))
    assert names == sorted(file.name for file in path.glob("*.csv"))
    for name in names:
        assert (whole / name).read_bytes() == (path / name).read_bytes(), name
    assert {f.name for f in whole.glob("figures/*")} == {f.name for f in path.glob("figures/*")}
    left = [file for file in path.rglob("*.part") if "state" not in file.name]
    assert left == []
    json.loads((path / "summary.json").read_text())
    if events and page == "lf_first":
        assert events_of(whole) == events_of(path)
    return result


def expected_end(fault, moment):
    if fault == "SIGKILL":
        return -9, ""
    if fault == "SIGTERM":  # Outside of the training it acts as on any process.
        return (143, "the state is saved") if moment in LOOP else (-15, "")
    if fault == "SIGINT":
        return 130, "the state is saved" if moment in LOOP else "interrupted; the same command"
    return 2, "the disk is full" if fault == "full disk" else "the disk or its connection fails"


EVERY = [
    (fault, moment, page)
    for page, faults in {
        "lf_first": list(FAULTS),
        "noise_fitting": ["SIGKILL", "full disk"],
    }.items()
    for fault in faults
    for moment in (*MOMENTS, *(["model"] if page == "noise_fitting" else []))
]


@pytest.mark.parametrize(("fault", "moment", "page"), EVERY)
def test_a_fault_at_a_moment(fault, moment, page, whole, embedded_dir, tmp_path):
    path = tmp_path / "run"
    when = {**MOMENTS, **(OF_IMAGES if page == "noise_fitting" else {})}[moment]
    flags = flags_of(page, path, embedded_dir)
    (result,) = launch_on([when.host(FAULTS[fault])], page, *flags)
    assert_a_line(result, *expected_end(fault, moment))
    assert not (path / "summary.json").exists(), "it ended before the fault"
    assert_ends_as(page, whole(page), path, embedded_dir)


LOST = {
    "removed": "shutil.rmtree('{path}')",
    "renamed": "os.rename('{path}', '{path}.elsewhere')",
    "replaced": "os.rename('{path}', '{path}.elsewhere'); os.mkdir('{path}')",
}


@pytest.mark.parametrize("moment", ["step", "report"])
@pytest.mark.parametrize("fault", LOST)
def test_a_folder_taken_away_is_not_made_again(fault, moment, whole, embedded_dir, tmp_path):
    path, when = tmp_path / "run", MOMENTS[moment]._replace(before=True)
    host = when.host(LOST[fault].format(path=path))
    (result,) = launch_on([host], "lf_first", *flags_of("lf_first", path, embedded_dir))
    assert_a_line(result, 2, "expected the folder that the run began in, got")
    assert path.exists() == (fault == "replaced")
    if fault == "replaced":
        assert list(path.iterdir()) == []
        path.rmdir()
    if fault != "removed":
        (tmp_path / "run.elsewhere").rename(path)
    assert_ends_as("lf_first", whole("lf_first"), path, embedded_dir)


def test_two_processes_on_one_folder_the_first_killed(whole, embedded_dir, tmp_path):
    path, there, refused = tmp_path / "run", tmp_path / "there", tmp_path / "refused"
    waits_for = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.1)\n"
    dies = (
        f"open('{there}', 'w').close(); exec({waits_for.format(str(refused))!r}); "
        f"{FAULTS['SIGKILL']}"
    )
    waits = waits_for.format(str(there)) + (
        "leave = os._exit\n"
        f"os._exit = lambda code: (open({str(refused)!r}, 'w').close(), leave(code))\n"
    )
    hosts = [MOMENTS["step"].host(dies), Host(before=waits)]
    flags = flags_of("lf_first", path, embedded_dir)
    first, second = launch_on(hosts, "lf_first", *flags)
    assert first.returncode == -9
    assert_a_line(second, 2, "expected a folder that no other process works in")
    assert_ends_as("lf_first", whole("lf_first"), path, embedded_dir)


@pytest.fixture
def killed(embedded_dir, tmp_path):
    """A run that was killed in a step, after a save."""
    path = tmp_path / "run"
    host = Moment(step=31).host(FAULTS["SIGKILL"])
    (result,) = launch_on([host], "lf_first", *flags_of("lf_first", path, embedded_dir))
    assert result.returncode == -9
    return path


def test_a_clock_that_was_set_back(killed, whole, embedded_dir):
    back = "import time; now = time.time; time.time = lambda: now() - 86_400"
    flags = flags_of("lf_first", killed, embedded_dir)
    (result,) = launch_on([Host(before=back)], "lf_first", *flags)
    assert_a_line(result, 0)
    assert_ends_as("lf_first", whole("lf_first"), killed, embedded_dir)


def test_a_run_of_when_events_had_no_name_goes_on_where_they_are(killed, whole, embedded_dir):
    events = killed / "tensorboard"
    for file in [*(events / "lf_first_run").iterdir()]:
        file.rename(events / file.name)
    (events / "lf_first_run").rmdir()
    record = json.loads((killed / "environment.json").read_text())
    assert record.pop("tensorboard_run") == "lf_first_run"
    (killed / "environment.json").write_text(json.dumps(record))
    assert_ends_as("lf_first", whole("lf_first"), killed, embedded_dir)
    assert all(file.is_file() for file in events.iterdir())


DAMAGE = {**conftest.DAMAGE, "missing": lambda file: file.unlink()}


@pytest.mark.parametrize("fault", DAMAGE)
def test_damaged_events_do_not_keep_a_run_from_its_end(fault, killed, whole, embedded_dir):
    events = killed / "tensorboard" / "lf_first_run"
    for file in sorted(events.iterdir()):
        DAMAGE[fault](file)
    shutil.copy(whole("lf_first") / "run.flags", events / "x.tfevents.1.segment1 b")
    assert_ends_as("lf_first", whole("lf_first"), killed, embedded_dir, events=False)


@pytest.mark.parametrize("moment", ["newest", "all"])  # The states.
@pytest.mark.parametrize("fault", [kind for kind in DAMAGE if kind != "a folder"])
def test_damaged_states(fault, moment, killed, whole, embedded_dir):
    states = sorted((killed / "checkpoints").glob("state*.npz"), key=lambda f: f.stat().st_mtime_ns)
    for file in states[-1:] if moment == "newest" else states:
        DAMAGE[fault](file)
    assert_ends_as("lf_first", whole("lf_first"), killed, embedded_dir)


@pytest.mark.parametrize("moment", ["losses.csv", "spectra.csv"])  # The table.
@pytest.mark.parametrize("fault", [kind for kind in DAMAGE if kind != "a folder"])
def test_a_table_of_a_finished_run(fault, moment, whole, embedded_dir, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole("lf_first"), path)
    DAMAGE[fault](path / moment)
    assert_ends_as("lf_first", whole("lf_first"), path, embedded_dir, events=False)


OWN = [(kind, "environment.json") for kind in DAMAGE if kind != "a folder"]
OWN += [("cut", "run.flags"), ("empty", "run.flags"), ("binary", ".lock"), ("missing", ".lock")]


@pytest.mark.parametrize(("fault", "moment"), OWN)  # The moment is a file.
def test_a_small_file_of_an_unfinished_run(fault, moment, killed, whole, embedded_dir):
    before = (killed / moment).read_bytes()
    DAMAGE[fault](killed / moment)
    if moment == "run.flags":
        state = {f: f.read_bytes() for f in (killed / "checkpoints").rglob("*") if f.is_file()}
        result = launch("lf_first", *flags_of("lf_first", killed, embedded_dir))
        assert_a_line(result, 2, str(killed))
        assert state == {file: file.read_bytes() for file in state}
        (killed / moment).write_bytes(before)
    assert_ends_as("lf_first", whole("lf_first"), killed, embedded_dir)


@pytest.mark.parametrize("moment", ["summary.json", "environment.json", "run.flags"])  # The file.
@pytest.mark.parametrize("fault", DAMAGE)
def test_a_small_file_of_a_run_that_another_page_takes(fault, moment, whole, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(whole("lf_first"), source)
    DAMAGE[fault](source / moment)
    flags = ("--num_norms=3", "--num_directions=2", f"--workdir={tmp_path / 'run'}")
    result = launch("robustness", f"--from_run={source}", *flags)
    if moment == "environment.json":  # It is not needed.
        assert_a_line(result, 0)
    else:
        assert_a_line(result, 2, str(source))
        assert len(result.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("moment", ["summary.json", "found.npz"])  # The file.
@pytest.mark.parametrize("fault", DAMAGE)
def test_a_small_file_of_a_finished_run(fault, moment, whole, embedded_dir, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole("lf_first"), path)
    DAMAGE[fault](path / moment)
    flags = flags_of("lf_first", path, embedded_dir)
    if moment == "found.npz":
        assert_a_line(launch("lf_first", *flags, "--report_only"), 2, f"got {path}/found.npz")
        if fault in ("a folder", "missing"):  # Not damaged: somebody's doing.
            assert_a_line(launch("lf_first", *flags), 0)
            return
    elif fault == "a folder":
        assert_a_line(launch("lf_first", *flags), 2, "summary.json to be a file, or not there")
        (path / moment).rmdir()
    assert_ends_as("lf_first", whole("lf_first"), path, embedded_dir, events=False)
    assert_a_line(launch("lf_first", *flags, "--report_only"), 0)


@pytest.fixture
def disk(tmp_path):
    """Makes a file system of its own of so many KiB, and gives its folder and how to mount it."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options, *others):
        command = ["mount", "-t", "tmpfs", "-o", options, *others, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True).returncode == 0

    if not mount("size=64m"):
        pytest.skip("mounting a small file system needs the rights of root")
    yield folder, mount
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.parametrize("moment", [30, 60, 200, 300, 420, 480, 540])  # KiB.
def test_a_disk_that_is_really_full(moment, disk, whole, embedded_dir):
    folder, mount = disk
    assert mount(f"remount,size={moment}k")
    path = folder / "run"
    flags = flags_of("lf_first", path, embedded_dir)
    (result,) = launch_on([Moment().host("pass")], "lf_first", *flags)
    assert_a_line(result, 2, "the disk is full (No space left on device); make room")
    assert str(folder) in result.stderr
    assert mount("remount,size=64m")
    assert_ends_as("lf_first", whole("lf_first"), path, embedded_dir)


def test_a_limit_of_file_sizes(whole, embedded_dir, tmp_path):
    path = tmp_path / "run"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, resource.RLIM_INFINITY))"
    flags = flags_of("lf_first", path, embedded_dir)
    (result,) = launch_on([MOMENTS["step"].host(limit)], "lf_first", *flags)
    assert_a_line(result, 2, "a file may not get so large here (see ulimit -f)")
    assert_ends_as("lf_first", whole("lf_first"), path, embedded_dir)


@pytest.mark.parametrize("moment", ["step", "report", "figure"])
def test_a_disk_that_becomes_read_only(moment, disk, whole, embedded_dir):
    folder, _ = disk
    path = folder / "run"
    # A bound mount, since files that are open for writing keep the file system itself from it.
    when = MOMENTS[moment]._replace(before=True) if moment != "step" else Moment("state", 2, True)
    freeze = f"subprocess.run(['mount', '--bind', '{folder}', '{folder}']); " + (
        f"subprocess.run(['mount', '-o', 'remount,bind,ro', '{folder}'])"
    )
    flags = flags_of("lf_first", path, embedded_dir)
    (result,) = launch_on([when.host(freeze)], "lf_first", *flags)
    subprocess.run(["umount", "-l", str(folder)], check=True)
    assert_a_line(result, 2, "the file system is read-only now")
    assert_ends_as("lf_first", whole("lf_first"), path, embedded_dir)


def test_a_finished_run_where_nothing_can_be_written(disk, whole, embedded_dir):
    folder, mount = disk
    path = folder / "run"
    shutil.copytree(whole("lf_first"), path)
    assert mount("remount,ro")
    flags = flags_of("lf_first", path, embedded_dir)
    result = launch("lf_first", *flags)
    assert_a_line(result, 0, "holds this run, finished")
    assert_a_line(launch("lf_first", *flags, "--report_only"), 2, "(Read-only file system)")
