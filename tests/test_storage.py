"""Files on file systems that are no disk."""

import contextlib
import errno
import os
import time

import pytest

from spectral_tf import storage
from spectral_tf.errors import UserError
from spectral_tf.records import locks
from spectral_tf.records.folder import RunFolder

FILE_SYSTEMS = ("disk", "memory", "ram")


@pytest.fixture(params=FILE_SYSTEMS)
def folder(request, tmp_path):
    """An empty folder of each kind of file system."""
    if request.param == "disk":
        return storage.as_path(tmp_path / "run")
    return storage.as_path(f"{request.param}://bucket/{tmp_path.name}")


def write(path, text):
    with storage.atomic_write(path) as temporary:
        temporary.write_text(text)


def test_what_is_written_is_read_listed_replaced_and_removed(folder):
    write(folder / "figures" / "a.txt", "first, and longer")
    write(folder / "figures" / "a.txt", "second")
    write(folder / "b.csv", "x\n")
    assert (folder / "figures" / "a.txt").read_text() == "second"
    assert (folder / "figures" / "a.txt").stat().length == 6
    assert folder.is_dir()
    assert (folder / "figures").is_dir()
    assert (folder / "b.csv").is_file()
    assert not (folder / "figures").is_file()
    names = [str(file)[len(str(folder)) :] for file in storage.files_under(folder)]
    assert sorted(names) == ["/b.csv", "/figures/a.txt"]
    storage.remove(folder / "figures")
    assert [file.name for file in storage.files_under(folder)] == ["b.csv"]
    storage.remove(folder / "b.csv")
    storage.remove(folder / "b.csv")
    assert not (folder / "b.csv").exists()
    assert not list(storage.files_under(folder / "none"))


def test_a_write_that_fails_leaves_what_was_there(folder):
    write(folder / "a.txt", "old")
    with (
        contextlib.suppress(ZeroDivisionError),
        storage.atomic_write(folder / "a.txt") as temporary,
    ):
        temporary.write_text("half")
        raise ZeroDivisionError
    assert (folder / "a.txt").read_text() == "old"
    assert [file.name for file in storage.files_under(folder)] == ["a.txt"]


def test_copies_hold_what_is_there(folder):
    for name, content in (("graph", b"\0\1"), ("variables/0", b"2")):
        with storage.atomic_write(folder / "saved" / name) as temporary:
            temporary.write_bytes(content)
    with storage.local_copy(folder / "saved") as copy:
        assert (copy / "graph").read_bytes() == b"\0\1"
        assert (copy / "variables" / "0").read_bytes() == b"2"
    kept = storage.here(folder / "saved" / "graph")
    assert kept.read_bytes() == b"\0\1"
    assert not storage.here(folder / "none").exists()


def test_what_is_not_there_is_an_error_of_the_system(folder):
    with pytest.raises(FileNotFoundError):
        (folder / "none").read_bytes()
    with pytest.raises(FileNotFoundError), storage.local_copy(folder / "none") as copy:
        copy.read_bytes()


def test_errors_of_clients_are_errors_of_the_system():
    class PermissionDeniedError(Exception):
        """As TensorFlow's."""

    def denied():
        raise PermissionDeniedError("no\n  right")

    with pytest.raises(PermissionError, match="no right"):
        storage._translated(denied)()
    with pytest.raises(ZeroDivisionError):
        storage._translated(lambda: 1 / 0)()


def test_paths_keep_their_scheme():
    for scheme in ("gs", "ram", "memory"):
        path = storage.as_path(f"{scheme}://bucket/run")
        assert str(path / "checkpoints" / "a") == f"{scheme}://bucket/run/checkpoints/a"
        assert str((path / "a").parent) == str(path) == os.fspath(path)
        assert storage.as_path(str(path)) == path
        assert not storage.is_local(path)
        around = [str(folder) for folder in storage.folders_around(path / "a" / "b")]
        assert around == [f"{path}/a", str(path), f"{scheme}://bucket"]
    assert storage.is_local(storage.as_path("runs/a"))
    assert str(storage.as_path("~/a")) == os.path.expanduser("~/a")
    assert str(storage.as_path("file:///tmp/a")) == "/tmp/a"


@pytest.mark.parametrize("path", ["gopher://a/b", "://a", "local://a/b"])
def test_an_unknown_scheme_is_refused(path):
    with pytest.raises(UserError, match="workdir: expected a folder, or one of gs://"):
        storage.as_path(path, "workdir")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("gs:/bucket/run", "expected gs:// with two slashes, .*say gs://bucket/run"),
        ("s3:/bucket", "expected s3:// with two slashes"),
        ("gs://", "an address with a bucket, got gs://"),
        ("gs:///run", "an address with a bucket, got gs:///run"),
    ],
)
def test_slips_of_addresses_are_told(path, line):
    with pytest.raises(UserError, match=line):
        storage.as_path(path, "workdir")


def test_a_scheme_whose_package_is_missing_names_it():
    pytest.importorskip("fsspec")
    try:
        import adlfs  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match=r"expected a package that opens abfs://.* adlfs"):
            storage.as_path("abfs://a/b")


def test_a_run_folder_that_is_no_disk_is_kept_from_others(folder):
    lines = {"x": "--x=1"}
    first = RunFolder(folder, lines)
    first.start({"seed": 0})
    second = RunFolder(folder, lines)
    with pytest.raises(UserError, match="no other process works in"):
        second.start({"seed": 0})
    first._lock.close()
    second.start({"seed": 0})
    second._lock.close()
    assert (folder / "run.flags").read_text() == "--x=1\n"


def test_other_flags_are_refused_there(folder):
    run = RunFolder(folder, {"x": "--x=1"})
    run.start({"seed": 0})
    write(folder / "table.csv", "a\n1\n")
    run._lock.close()
    with pytest.raises(UserError, match=r"expected its own flags \(--x=1\)"):
        RunFolder(folder, {"x": "--x=2"})
    run = RunFolder(folder, {"x": "--x=2"}, overwrite=True)
    run.start({"seed": 0})
    run._lock.close()
    assert not (folder / "table.csv").exists()


@pytest.fixture
def name(tmp_path):
    """What processes want to hold, where there are no locks."""
    return storage.as_path(f"memory://leases/{tmp_path.name}/.lock")


def owners(name):
    return [file for file in storage.files_under(name.parent) if file.name.startswith(".lock.")]


def test_a_lease_is_given_to_one_and_shared_by_those_who_share(name):
    with locks.lock(name) as held:
        for shared in (False, True):
            with pytest.raises(UserError, match="one in use by process"):
                locks.lock(name, shared=shared)
        assert len(owners(name)) == 1
        held.share()
        with locks.lock(name, shared=True), pytest.raises(UserError, match="in use"):
            locks.lock(name)
        held.mind()
    assert not owners(name)
    locks.lock(name).close()


def test_the_lease_of_another_name_keeps_nobody_out(name):
    with locks.lock(name), locks.lock(name.with_name(".lock.start")):
        assert len(owners(name)) == 2


def of_another(name, **changed):
    """The lease of a process of another machine."""
    import json

    owner = {"machine": "another", "boot": "", "process": 1, "shared": False, "beat": time.time()}
    file = name.with_name(f"{name.name}.{'a' * 32}")
    file.write_bytes(json.dumps({**owner, **changed}).encode())
    return file


def test_a_living_owner_on_another_machine_is_left_alone(name):
    of_another(name)
    with pytest.raises(UserError, match="in use by process 1 of another"):
        locks.lock(name)


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_silent_owner_is_watched_and_its_lease_taken(name, seconds, monkeypatch):
    """Whatever its clock says."""
    monkeypatch.setattr(locks, "_EVERY", 0.05)
    file = of_another(name, beat=time.time() + seconds)
    with locks.lock(name):
        assert not file.exists()


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_an_owner_whose_clock_differs_lives_as_long_as_it_renews(name, seconds, monkeypatch):
    file = of_another(name, beat=time.time() + seconds)

    def renewed(_):
        of_another(name, beat=time.time() + seconds + 1.0)

    monkeypatch.setattr(locks.time, "sleep", renewed)
    with pytest.raises(UserError, match="in use by process 1 of another"):
        locks.lock(name)
    assert file.exists()


def test_the_lease_of_a_process_that_is_gone_is_taken_at_once(name):
    with locks.lock(name) as held:
        mine = locks._read(held._object)
    gone = os.fork()
    if not gone:
        os._exit(0)
    os.waitpid(gone, 0)
    file = of_another(name, **{**mine, "process": gone})
    with locks.lock(name):
        assert not file.exists()


def test_who_lost_a_lease_learns_it(name, monkeypatch):
    monkeypatch.setattr(locks, "_EVERY", 0.02)
    with locks.lock(name) as held:
        (file,) = owners(name)
        first = locks._read(file)["beat"]
        deadline = time.monotonic() + 30.0
        while locks._read(file)["beat"] == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert locks._read(file)["beat"] > first, "a lease is renewed"
        file.unlink()
        monkeypatch.setattr(locks, "_SILENT", 0.0)
        with pytest.raises(UserError, match="expected a folder that this process still holds"):
            held.mind()


def test_a_bucket_that_cannot_be_written_is_refused_in_a_line(monkeypatch):
    def denied(self, data):
        raise OSError(errno.EACCES, "PermissionDeniedError: no right to write")

    monkeypatch.setattr(storage.RemotePath, "write_bytes", denied)
    with pytest.raises(UserError, match=r"folder that can be written.*no right to write"):
        RunFolder("memory://others/run", {})


def test_a_process_of_another_container_is_known_by_its_silence_alone(name):
    """It shares the machine's name and its start, and has numbers of its own."""
    with locks.lock(name) as held:
        mine = locks._read(held._object)
    started, numbers = mine["boot"].split()
    assert numbers.startswith("pid:[")
    boot = f"{started} pid:[1]"
    of_another(name, **{**mine, "boot": boot, "process": 2**22 + 1})
    with pytest.raises(UserError, match="in use by process"):
        locks.lock(name)


def test_who_was_suspended_while_another_took_the_lease_gives_way(name, monkeypatch):
    with locks.lock(name) as held:
        monkeypatch.setattr(held, "_renewed", (-1e9, -1e9))
        file = of_another(name)
        assert not held._write_again()  # Its own was there, or was just brought back.
        assert owners(name) == [file]
        with pytest.raises(UserError, match="still holds"):
            held.mind()
        file.unlink()


def test_a_lease_alone_is_no_run(name):
    """Killed before its first save, a run keeps nobody from other flags."""
    folder = name.parent
    run = RunFolder(folder, {"x": "--x=1"})
    run.start({"seed": 0})
    with run.part("one").alone():
        of_another(folder / "checkpoints" / "two" / ".lock")
        run._lock.close()
        RunFolder(folder, {"x": "--x=2"}).start({"seed": 0})
