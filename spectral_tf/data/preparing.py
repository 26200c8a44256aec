"""Data sets of TFDS prepared: by one process, and without a network only what needs none."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import socket
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

from absl import logging

from spectral_tf import progress
from spectral_tf.data.images import EMBEDDED, unreadable
from spectral_tf.errors import UserError
from spectral_tf.lazy import NO_TENSORFLOW

_ARCHIVES = {
    "imagenet2012": {
        "train": "ILSVRC2012_img_train.tar",
        "validation": "ILSVRC2012_img_val.tar",
    }
}
_CONNECT_SECONDS = 3.0


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within it TFDS does not log where it looks and what it reads."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextlib.contextmanager
def _bars(shown: bool) -> Iterator[None]:
    """Within it TFDS shows its bars, or not; afterwards it does what it did before."""
    from tensorflow_datasets.core.utils import tqdm_utils

    before = tqdm_utils._active  # It has no name of its own for whoever wants to know.
    tqdm_utils.display_progress_bar(shown)
    try:
        yield
    finally:
        tqdm_utils.display_progress_bar(before)


def is_prepared(builder: Any) -> bool:
    """Whether TFDS calls the set prepared."""
    with quiet():
        return builder.is_prepared()


def prepare(builder: Any, name: str, split: str, download: bool, manual_dir: str | None) -> None:
    """Prepares a set that is not.

    Args:
      builder: of TFDS.
      name: as `find_images` took it.
      split: that is wanted, which may need only some archives.
      download: whether the network may be asked.
      manual_dir: where archives lie that nobody may fetch; None: where TFDS looks.

    Raises:
      UserError: it is half there; it is not there and may not be downloaded; there are no archives
        or no answer from the network; the folder cannot be written, or is on no disk; TFDS fails.
    """
    folder = builder.data_path
    root = type(folder)(os.fspath(folder).removesuffix(builder.info.full_name))
    embedded = builder.name in EMBEDDED
    if folder.exists() and not embedded:
        raise unreadable(name, folder, "dataset_info.json is missing")
    manual = pathlib.Path(os.path.expanduser(manual_dir or root / "downloads" / "manual"))
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        _refuse_missing_archives(builder, name, split, manual, asked=bool(manual_dir) or download)
    elif not embedded and not download:
        others = sorted(f"{f.parent.name}/{f.name}" for f in folder.parent.glob("[0-9]*.*.*"))
        found = f", only {', '.join(others)}" if others else ""
        raise UserError(
            f"data set {name}",
            expected=f"a prepared copy in {folder}",
            got=f"none{found}",
            hint=f"add --download where there is a network, or {_elsewhere(builder, name)}",
        )
    if download and not embedded and not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        _refuse_without_network(builder, name, folder, root / "downloads")
    if "://" in os.fspath(root):
        raise UserError(
            f"data set {name}",
            expected=f"a prepared copy in {folder}",
            got="none, and sets are prepared on disks only",
            hint=_elsewhere(builder, name),
        )
    with _alone(root, name):
        if is_prepared(builder):  # By whoever held the lock before.
            return
        if embedded:
            for rest in (folder, *folder.parent.glob("incomplete.*")):
                shutil.rmtree(rest, ignore_errors=True)
        _build(builder, name, folder, manual)


def _elsewhere(builder: Any, name: str) -> str:
    return (
        f"prepare it elsewhere with `tfds build {name} --data_dir=DIR`, copy "
        f"DIR/{builder.info.full_name} here and name the place with --data_dir or TFDS_DATA_DIR"
    )


def _build(builder: Any, name: str, folder: pathlib.Path, manual: pathlib.Path) -> None:
    import tensorflow_datasets as tfds

    try:
        import tensorflow  # noqa: F401  TFDS loads without it, and encodes with it.
    except ModuleNotFoundError as error:
        raise ImportError(NO_TENSORFLOW, name=error.name) from error
    logging.info("preparing the data set %s in %s", name, folder)
    options = tfds.download.DownloadConfig(manual_dir=manual if manual.is_dir() else None)
    try:
        # TFDS prints that it downloads whatever it prepares.
        hidden = contextlib.redirect_stdout(None) if builder.name in EMBEDDED else quiet()
        with quiet(), hidden, _bars(progress.is_shown() and sys.stderr.isatty()):
            builder.download_and_prepare(download_config=options)
    except Exception as error:  # Foreign code reads foreign files: anything may come.
        words = " ".join(str(error).split())
        raise UserError(
            f"data set {name}",
            expected=f"to be prepared in {folder}",
            got=f"{type(error).__name__}: {words[:300]}",
            hint="mend that and start again; nothing half-prepared was left",
        ) from error


def _refuse_missing_archives(
    builder: Any, name: str, split: str, manual: pathlib.Path, asked: bool
) -> None:
    archives = _ARCHIVES.get(builder.name)
    if archives:
        wanted = [file for part, file in archives.items() if part in split] or [*archives.values()]
        missing = [file for file in wanted if not (manual / file).is_file()]
        text = " and ".join(wanted)
    else:
        text = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
        missing = [] if manual.is_dir() and any(manual.iterdir()) else ["the archives"]
    if missing or not asked:
        raise UserError(
            f"data set {name}",
            expected=f"a copy prepared in {builder.data_path}, or archives in {manual} ({text})",
            got=f"no copy and no {' and no '.join(missing)}" if missing else "the archives only",
            hint="name the folder of a prepared copy with --data_dir, or that of the archives with "
            "--manual_dir to prepare one",
        )


def _refuse_without_network(
    builder: Any, name: str, folder: pathlib.Path, downloads: pathlib.Path
) -> None:
    """TFDS itself would try for minutes; without an answer from its first host this says so.

    Files that lie in TFDS's folder of downloads already need no network.
    """
    from tensorflow_datasets.core.download import resource

    if any(os.environ.get(proxy) for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return
    folders = (downloads, downloads / builder.name)
    missing = [
        url
        for url, details in builder.url_infos.items()
        if not any((p / resource.get_dl_fname(url, details.checksum)).is_file() for p in folders)
    ]
    url = urllib.parse.urlsplit(min(missing, default=""))
    if not url.hostname:
        return
    address = (url.hostname, url.port or (80 if url.scheme == "http" else 443))
    outcome = ["no answer"]

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
            outcome[0] = ""
        except OSError as error:
            outcome[0] = str(error)

    # A thread, since looking up a name knows no time limit.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    if outcome[0]:
        raise UserError(
            f"data set {name}",
            expected=f"a prepared copy in {folder}, or an answer from {address[0]}",
            got=f"neither ({outcome[0]})",
            hint=_elsewhere(builder, name),
        )


@contextlib.contextmanager
def _alone(root: pathlib.Path, name: str) -> Iterator[None]:
    """Holds the lock of a data folder."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = open(root / ".spectral_tf.lock", "w")  # noqa: SIM115 - closed below.
    except OSError as error:
        raise UserError(
            f"data set {name}",
            expected="a folder that can be written, to prepare it in",
            got=f"{root} ({error.strerror})",
            hint="name another with --data_dir or TFDS_DATA_DIR",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.info("waiting for another process that prepares a data set in %s", root)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
