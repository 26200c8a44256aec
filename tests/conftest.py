"""Helpers that tests share."""

import contextlib
import functools
import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).parents[1]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# float32 sums in a fixed order, whatever the machine's load.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# The user's data sets are read where they are; what tests prepare without naming a folder lies in
# one of theirs, which the first of several processes makes and takes away.
if "USERS_TFDS_DATA_DIR" not in os.environ:
    os.environ["USERS_TFDS_DATA_DIR"] = os.environ.get("TFDS_DATA_DIR", "")
    _DATA = tempfile.TemporaryDirectory(prefix="tfds_of_tests_")
    os.environ["TFDS_DATA_DIR"] = _DATA.name
USERS_DATA = os.environ["USERS_TFDS_DATA_DIR"]
# Processes that test beside each other share the cores. What starts them tests nothing, and must
# not hand a number on.
if _WORKERS := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ["LOKY_MAX_CPU_COUNT"] = str(max(1, (os.cpu_count() or 1) // _WORKERS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a sampled test the first is among the long tests, the others the matrix."""
    seen = set()
    for item in items:
        if item.get_closest_marker("faults") or item.get_closest_marker("sampled"):
            item.add_marker("matrix")
            name = item.nodeid.partition("[")[0]
            if name not in seen:
                item.add_marker("long")
            seen.add(name)


def _a_folder(file: pathlib.Path) -> None:
    file.unlink()
    file.mkdir()


# What may become of a file, by name.
DAMAGE: dict[str, Callable[[pathlib.Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "empty": lambda file: file.write_bytes(b""),
    "zeroed": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "a list": lambda file: file.write_text("[1, 2]\n"),
    "binary": lambda file: file.write_bytes(b"\x89PNG\xff\xfe\x00"),
    "a folder": _a_folder,
}


def size_of_results(folder: pathlib.Path) -> int:
    """Bytes of a folder of results, without the reports that are made of the rest."""
    files = (file for file in folder.rglob("*") if file.name != "report.html")
    return sum(file.stat().st_size for file in files)


_TOLERANCE = {"float64": 1e-11, "float32": 2e-5}


@pytest.fixture
def assert_close() -> Callable[..., None]:
    """Asserts closeness with the tolerance of the coarser dtype: nothing is typed at the call."""

    def check(actual: Any, expected: Any) -> None:
        actual, expected = np.asarray(actual), np.asarray(expected)
        coarse = np.float32 in (actual.dtype, expected.dtype)
        tolerance = _TOLERANCE["float32" if coarse else "float64"]
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)

    return check


@pytest.fixture
def run_launcher() -> Callable[..., subprocess.CompletedProcess]:
    """Runs a launcher as a user does and gives its exit status and output."""

    def run(name: str, *flags: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        command = [sys.executable, *python, str(ROOT / "launchers" / f"{name}.py"), *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=600)

    return run


_FORKS = """
import json, os, runpy, signal, sys, tempfile, traceback
import keras, matplotlib.pyplot, tensorflow, tensorflow_datasets
for line in sys.stdin:
    children = []
    for page, environ, before, *flags in json.loads(line):
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        child = os.fork()
        if not child:
            signal.alarm(600)
            # Of a shell in whose background these tests run it is ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.path[0] = os.path.dirname(page)
            sys.argv = [page, *flags]
            os.environ.update(environ)
            code = 0
            try:
                exec(before)
                runpy.run_path(page, run_name="__main__")
            except SystemExit as exit:
                code = exit.code or 0
            except BaseException:
                traceback.print_exc()
                code = 1
            os._exit(code)  # Without the teardown of TensorFlow, which takes a second.
        children.append((child, out, err))
    answers = []
    for child, out, err in children:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        answers.append([status, out.read().decode(), err.read().decode()])
    print(json.dumps(answers))
"""


@functools.cache
def _forking() -> subprocess.Popen:
    command = [sys.executable, "-u", "-c", _FORKS]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Host(NamedTuple):
    """One of several processes that run a launcher together.

    Attributes:
      environ: variables of its own.
      before: Python that it runs first.
    """

    environ: Mapping[str, str] = {}
    before: str = ""


def launch(name: str, *flags: str) -> subprocess.CompletedProcess:
    """Runs a launcher in a fork of a process that has loaded TensorFlow, which saves half the time.

    What a launcher does before it loads anything, and signals, are tested on real processes.
    """
    return launch_on([Host()], name, *flags)[0]


def launch_on(hosts: Sequence[Host], name: str, *flags: str) -> list[subprocess.CompletedProcess]:
    """The same on several hosts at once, or what a path names, without its .py."""
    page = str(ROOT / "launchers" / f"{name}.py")
    server = _forking()
    assert server.stdin
    assert server.stdout
    jobs = [[page, dict(h.environ), h.before, *map(str, flags)] for h in hosts]
    server.stdin.write(json.dumps(jobs) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    if not answer:
        _forking.cache_clear()
        pytest.fail(f"the process that forks has ended with {server.wait()}")
    return [subprocess.CompletedProcess([page, *flags], *each) for each in json.loads(answer)]


def two_workers() -> list[Host]:
    """Two processes on the loopback address that train together."""
    cluster = {"worker": free_addresses(2)}
    return [
        Host({"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})})
        for task in ({"type": "worker", "index": i} for i in range(2))
    ]


def two_devices() -> list[Host]:
    """One process with two logical devices; `--strategy=mirrored` takes both."""
    return [
        Host(
            before="import tensorflow as tf\n"
            "cpu = tf.config.list_physical_devices('CPU')[0]\n"
            "tf.config.set_logical_device_configuration("
            "cpu, [tf.config.LogicalDeviceConfiguration()] * 2)"
        )
    ]


_SERVER = """
import sys
import tensorflow as tf
tf.distribute.Server({"worker": [sys.argv[1]]}, job_name="worker", task_index=0)
print("ready", flush=True)
sys.stdin.read()
"""
# As a TPU's machine does: it becomes the default device. It compiles nothing for its CPU that eager
# calls ask for, and neither does a TPU, whose programs are compiled as a whole.
_CONNECT = """
import tensorflow as tf
cluster = tf.train.ClusterSpec({{"worker": ["{address}"]}})
resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
    cluster, master="{address}", rpc_layer="grpc"
)
tf.config.experimental_connect_to_cluster(resolver, job_name="localhost")
compiled = tf.function
def function(func=None, jit_compile=None, **named):
    return compiled(func, **named)
tf.function = function
assert "worker" in tf.constant(0).device
"""


_BROUGHT = """
import os
leave = os._exit
def bring(code):
    import shutil
    from spectral_tf import storage
    shutil.copytree(storage.here("ram://bucket/run"), {folder!r})
    leave(code)
os._exit = bring
"""


def in_memory(folder: pathlib.Path) -> list[Host]:
    """A host whose ram://bucket/run, a file system that is no disk, is in a folder when it ends."""
    return [Host(before=_BROUGHT.format(folder=str(folder)))]


@contextlib.contextmanager
def another_machine(folder: pathlib.Path) -> Iterator[list[Host]]:
    """One process whose default device is that of a server, which lives in another folder."""
    (address,) = free_addresses(1)
    command = [sys.executable, "-c", _SERVER, address]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        try:
            yield [Host(before=_CONNECT.format(address=address))]
        finally:
            server.kill()


def estimated(name: str) -> list[str]:
    """The columns that an estimate takes in a table."""
    return [name, *(f"{name}_{end}" for end in ("low", "high", "n", "method"))]


def assert_estimates(path: pathlib.Path) -> None:
    """That a run folder gives no interval without number and method, and no number that is none.

    Raw records of single runs (`runs.csv`, `losses.csv` by run) may hold NaN: they have stopped.
    """
    for file in path.glob("*.csv"):
        header, *rows = (line.split(",") for line in file.read_text().splitlines())
        for name in (c.removesuffix("_low") for c in header if c.endswith("_low")):
            assert set(estimated(name)) <= set(header), (file.name, name)
        assert not {"low", "high"} & set(header), file.name
        if "run" not in header:
            assert not any("nan" in row for row in rows), file.name

    def check(name: str, value: Any) -> None:
        assert not name.endswith(("_low", "_high", "_with_interval")), name
        if isinstance(value, dict):
            if "low" in value:
                assert {"value", "low", "high", "n", "unit", "method"} <= set(value), name
                ends = value["low"] if isinstance(value["low"], list) else [value["low"]]
                assert None not in ends or value["missing"], name
            for key, inner in value.items():
                check(key, inner)

    check("summary", json.loads((path / "summary.json").read_text()))


def assert_alike(found: Any, told: Any, what: str, atol: float = 2e-3) -> None:
    """That an estimate is that of a table, but for so much in its numbers."""
    words = [(e.n, e.unit, e.missing, e.p_value is None) for e in (found, told)]
    assert words[0] == words[1], what
    numbers = [[float(x) for x in (e.value, e.low, e.high)] for e in (found, told)]
    np.testing.assert_allclose(*numbers, atol=atol, rtol=0, err_msg=what)
    if told.p_value is not None:
        assert abs(found.p_value - told.p_value) < 0.02, what


BETA = "final_regression_slope"


def assert_recomputed(folder: pathlib.Path) -> None:
    """That the answers which a run of noise_fitting keeps give what its tables say.

    All that is read of a wave and all readings of C1 and C11, but for the rounding of log-ratios;
    and beta above its null by a plain slope, too, of the smoothing that answers imply on the wave.
    """
    from spectral_tf import records, spectra
    from spectral_tf.experiments.fitted_waves import MEASURES, kept_claims, kept_waves, learned
    from spectral_tf.records.waves import read_held_out

    kept = read_held_out(folder / "held_out.npz")
    waves = records.read_table(folder / "waves.csv")
    alone, lines = kept_waves(kept, waves)
    rows = [waves["wave"].index(name) for name in alone]
    assert len(rows) == len(waves["wave"]) - 1  # All but the control.
    for measure in MEASURES:
        for side, end in (("network", ""), ("null", "_null"), ("difference", "_above_null")):
            told = records.estimates(waves, f"{measure}{end}")
            for (name, wave), row in zip(alone.items(), rows, strict=True):
                found = getattr(wave.estimates[measure], side)
                assert_alike(found, told[row], f"{folder}: {measure}{end} of {name}")
    words = {None: "nan", False: "no", True: "yes"}
    found = [words[yes] for yes in learned(list(alone.values()))]
    # A p-value at the very level may fall on its other side by the rounding.
    above = [records.estimates(waves, f"{BETA}_above_null")[row] for row in rows]
    adjusted = spectra.holm([1.0 if e.p_value is None else e.p_value for e in above])
    for row, word, p in zip(rows, found, adjusted, strict=True):
        assert word == str(waves["learned"][row]) or abs(p - 0.05) < 1e-3, (folder, row, p)
    for i, row in enumerate(rows):
        s, null = kept.smoothing[i].astype(float), kept.null_log_ratios[kept.directions[i]]
        implied = [
            spectra.implied_smoothing(g, int(kept.num_classes)) for g in (kept.log_ratios[i], null)
        ]
        slopes = [np.polyfit(s, t.T, 1)[0].mean() for t in implied]
        told = waves[f"{BETA}_above_null"][row]
        np.testing.assert_allclose(slopes[0] - slopes[1], told, atol=1e-3)
    flags = records.read_flags(folder) or {}
    claims = kept_claims(lines, rising=flags["wave"] == "fourier")
    if not claims:
        assert not (folder / "claims.csv").exists(), folder
        return
    table = records.read_table(folder / "claims.csv")
    of_answers = [i for i, claim in enumerate(table["claim"]) if claim in ("C1", "C11")]
    told = records.estimates(table, "estimate")
    for finding, i in zip(claims, of_answers, strict=True):
        assert (finding.claim, finding.reading, finding.primary, finding.direction) == tuple(
            table[name][i] for name in ("claim", "reading", "primary", "direction")
        )
        # Waves that are followed alike may change their ranks by the rounding.
        atol = 0.05 if finding.reading.startswith("rank") else 2e-3
        assert_alike(finding.estimate, told[i], f"{folder}: {finding.reading}", atol)


def assert_refused(result: subprocess.CompletedProcess, line: str) -> None:
    """That a launcher ended with status 2 and a last line that says this, and no traceback."""
    told = result.stderr
    assert result.returncode == 2, told
    assert "Traceback" not in told, told
    assert line in told.strip().splitlines()[-1], told


@pytest.fixture(scope="session")
def embedded_dir(tmp_path_factory) -> pathlib.Path:
    """A data folder in which the embedded sets are prepared; do not change it."""
    from spectral_tf.data import EMBEDDED, find_images

    folder = tmp_path_factory.mktemp("data")
    for name in EMBEDDED:
        find_images(name, data_dir=str(folder))
    return folder


@pytest.fixture(scope="session")
def mnist_dir() -> pathlib.Path:
    """A data folder with the real MNIST, or a skip."""
    for folder in (USERS_DATA, ROOT.parent / "shared" / "data" / "tfds"):
        if folder and (pathlib.Path(folder) / "mnist" / "3.0.1" / "features.json").is_file():
            return pathlib.Path(folder)
    pytest.skip("no prepared MNIST in TFDS_DATA_DIR or beside the project")


def free_addresses(count: int) -> list[str]:
    """So many addresses of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


_CIFAR = "cs.toronto.edu_kriz_cifar-10-binaryxKOMUKG8XzocVTfyFVq51o-fJese2Nnd2j2ymlm8od0.tar.gz"
_CIFAR_100 = _CIFAR.replace(
    "10-binaryxKOMUKG8XzocVTfyFVq51o-fJese2Nnd2j2ymlm8od0",
    "100-binaryWKga4ZLCOkvosYBNaOUY7YB9cQpOslOx8qGZFipA2Ow",
)
_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Puts a file into an archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _mock(data_dir: pathlib.Path, name: str, file: str, files: Mapping[str, bytes]) -> None:
    """Puts an archive where TFDS looks for a download of a data set."""
    downloads = data_dir / "downloads" / name
    downloads.mkdir(parents=True)
    with tarfile.open(downloads / file, "w:gz") as archive:
        for member, content in files.items():
            add(archive, member, content)
    (downloads / f"{file}.INFO").write_text(json.dumps({}))


def mocked_cifar10(data_dir: pathlib.Path, images_in_file: int = 10) -> None:
    """Puts an archive of noise in CIFAR-10's format where TFDS looks for its download."""
    rng = np.random.default_rng(0)
    files = {"batches.meta.txt": "\n".join(_CLASSES.split()).encode()}
    for part in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        rows = rng.integers(0, 256, size=(images_in_file, 3_073), dtype=np.uint8)
        rows[:, 0] = np.arange(images_in_file) % 10
        files[f"{part}.bin"] = rows.tobytes()
    files = {f"cifar-10-batches-bin/{part}": content for part, content in files.items()}
    _mock(data_dir, "cifar10", _CIFAR, files)


def mocked_cifar100(data_dir: pathlib.Path, images_of_class: Mapping[str, int]) -> None:
    """The same in CIFAR-100's format, with its classes: so many images of each by split.

    Of an image the first row is noise and all others have the brightness of its class, so that the
    archive is small.
    """
    from spectral_tf.data import read_hierarchy

    rng, coarse = np.random.default_rng(0), read_hierarchy("cifar100")
    names = {"fine": list(coarse), "coarse": sorted(set(coarse.values()))}
    of_class = np.array([names["coarse"].index(name) for name in coarse.values()])
    files = {f"{kind}_label_names.txt": "\n".join(of).encode() for kind, of in names.items()}
    for split, count in images_of_class.items():
        labels = np.tile(np.arange(len(coarse)), count)
        rows = np.repeat((2 * labels)[:, None], 3_074, axis=1).astype(np.uint8)
        rows[:, 2:34] = rng.integers(0, 256, size=(len(labels), 32))
        rows[:, 0], rows[:, 1] = of_class[labels], labels
        files[f"{split}.bin"] = rows.tobytes()
    files = {f"cifar-100-binary/{part}": content for part, content in files.items()}
    _mock(data_dir, "cifar100", _CIFAR_100, files)


def mocked_cifar10_1(data_dir: pathlib.Path, num_images: int = 40) -> None:
    """Puts arrays of noise in CIFAR-10.1's format where TFDS looks for its downloads."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import resource

    downloads = data_dir / "downloads" / "cifar10_1"
    downloads.mkdir(parents=True)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, size=(num_images, 32, 32, 3), dtype=np.uint8)
    builder = tfds.builder("cifar10_1/v6", data_dir=data_dir)
    for url, details in builder.url_infos.items():
        file = downloads / resource.get_dl_fname(url, details.checksum)
        with open(file, "wb") as stream:
            np.save(stream, images if "_data" in url else np.arange(num_images) % 10)
        file.with_suffix(file.suffix + ".INFO").write_text(json.dumps({}))


SYNSETS = ("n01751748", "n09193705")


def jpeg(image: np.ndarray) -> bytes:
    """An image as the bytes of a file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def tiny_imagenet(
    folder: pathlib.Path,
    synsets: Sequence[str] = SYNSETS,
    images_in_synset: int = 6,
    corrupt: int = 0,
) -> pathlib.Path:
    """Archives in the official format, of crops of a photograph in different sizes.

    Besides four validation images. So many of the first synset's training images are corrupt.
    """
    from spectral_tf.data.embedded import PHOTOGRAPHS

    folder.mkdir()
    photograph = PHOTOGRAPHS["cat"]()
    rng = np.random.default_rng(0)

    def crop() -> bytes:
        y, x, h, w = *rng.integers(0, 150, 2), *rng.integers(40, 150, 2)
        return jpeg(photograph[y : y + h, x : x + w])

    with tarfile.open(folder / "ILSVRC2012_img_train.tar", "w") as train:
        for synset in synsets:
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as images:
                for i in range(images_in_synset):
                    broken = synset == synsets[0] and i < corrupt
                    add(images, f"{synset}_{i}.JPEG", crop()[: 300 if broken else None])
            add(train, f"{synset}.tar", inner.getvalue())
    with tarfile.open(folder / "ILSVRC2012_img_val.tar", "w") as validation:
        for i in range(1, 5):
            add(validation, f"ILSVRC2012_val_{i:08d}.JPEG", crop())
    return folder
