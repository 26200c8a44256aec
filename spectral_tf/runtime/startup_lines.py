"""TensorFlow's own start-up lines, which tell the user of an experiment nothing, kept off.

`TF_CPP_MIN_LOG_LEVEL` does for most; not for those that its libraries write while they load, before
they know of it. So what is written then goes through a process beside this one that leaves out
lines of information; it also passes on what is said last where loading ends in a crash.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FILTER = r"""
import re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
told = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|I\d{4} |To enable the following|"
    rb"\d{4}-\d\d-\d\d [\d:.]+: I "
)
for line in sys.stdin.buffer:
    if not told.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


def keep_off(*, several_hosts: bool) -> None:
    """Hides them from now on, in this process and those that it starts.

    A level that the user has set stays, and 0 shows them all.

    Args:
      several_hosts: whether errors are hidden, too: every one of them is an exception, and a host
        that is gone is some thirty.
    """
    if os.environ.setdefault(_LEVEL, "3" if several_hosts else "2") == "0":
        return
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow where others find it, and has it load within `without_information`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next(filter(None, found), None)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def quietly(module: types.ModuleType) -> None:
                with without_information():
                    load(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def without_information() -> Iterator[None]:
    """Within it lines of information of TensorFlow do not come to stderr; all others do."""
    sys.stderr.flush()
    stderr = os.dup(2)
    command = [sys.executable, "-I", "-S", "-c", _FILTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as beside:
        assert beside.stdin
        os.dup2(beside.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            beside.stdin.close()  # Its end; leaving waits for it.
