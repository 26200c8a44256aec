"""Super-classes of known meaning: a table that says to which one each class belongs."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError, nearest
from spectral_tf.storage import as_path

_COLUMNS = ["class", "superclass"]
_FORM = "a CSV file with the columns class,superclass"


def hierarchies() -> list[str]:
    """The data sets whose hierarchy is part of the package.

    `cifar100` has the 20 coarse classes of Krizhevsky (2009), "Learning multiple layers of features
    from tiny images"; `fashion_mnist` four ours: tops, full length, shoes and bags.

    >>> hierarchies()
    ['cifar100', 'fashion_mnist']
    """
    files = resources.files("spectral_tf.data").joinpath("hierarchies").iterdir()
    return sorted(file.name.removesuffix(".csv") for file in files if file.name.endswith(".csv"))


def read_hierarchy(name: str | os.PathLike[str]) -> dict[str, str]:
    """{class: its super-class} of one of `hierarchies`, or of a CSV file, in the order of the file.

    Args:
      name: of `hierarchies`, or the path of a file with a header class,superclass and one line for
        each class, UTF-8.

    Raises:
      UserError: no such file or name, no CSV, other columns, a class twice or without a
        super-class.
    """
    if str(name) in hierarchies():
        shipped = resources.files("spectral_tf.data").joinpath("hierarchies")
        text = shipped.joinpath(f"{name}.csv").read_text(encoding="utf-8")
    else:
        path = as_path(name, "hierarchy")
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                "hierarchy",
                expected=f"one of {', '.join(hierarchies())}, or {_FORM}",
                got=f"{name} ({type(error).__name__})",
                hint="save it as UTF-8"
                if isinstance(error, UnicodeDecodeError)
                else nearest(str(name), hierarchies(), "name a file that can be read"),
            ) from error
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text)) if row] or [[]]
    except csv.Error as error:
        raise UserError(
            "hierarchy",
            expected=_FORM,
            got=f"{name} ({error})",
            hint="write one class a line, and names with commas in quotes",
        ) from error
    rows = [[cell.strip() for cell in row] for row in rows]
    if [cell.strip() for cell in header] != _COLUMNS:
        raise UserError(
            "hierarchy",
            expected=_FORM,
            got=f"{name} with the first line {','.join(header) or 'of nothing'}",
            hint="write these names into the first line",
        )
    if wrong := [row for row in rows if len(row) != 2 or not all(row)]:
        raise UserError(
            "hierarchy",
            expected="a class and its super-class in each line",
            got=f"{','.join(wrong[0])!r} in {name}",
            hint="put names with commas in quotes",
        )
    classes = [row[0] for row in rows]
    if twice := [c for c in classes if classes.count(c) > 1]:
        raise UserError(
            "hierarchy",
            expected="every class once",
            got=f"{twice[0]} {classes.count(twice[0])} times in {name}",
            hint="keep one of these lines",
        )
    return dict(rows)


def superclasses(hierarchy: Mapping[str, str], label_names: Sequence[str]) -> NDArray[np.int64]:
    """The super-class of every class by number, [C]: 0, 1, ... in the order of their first classes.

    Args:
      hierarchy: {class: super-class}.
      label_names: of all classes of a data set, by number.

    Raises:
      UserError: classes that the hierarchy does not cover, others that the data set does not have;
        one super-class for all classes, or none that joins two.

    >>> superclasses({"cat": "pet", "car": "thing", "dog": "pet"}, ["car", "cat", "dog"])
    array([0, 1, 1])
    """
    missing = [name for name in label_names if name not in hierarchy]
    strange = [name for name in hierarchy if name not in set(label_names)]
    if missing or strange:
        told = [
            f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for names, what in (
                (missing, "without one"),
                (strange, "that are no class of the data"),
            )
            if names
        ]
        raise UserError(
            "hierarchy",
            expected=f"a super-class for each of {len(label_names)} classes and no other",
            got=" and ".join(told),
            hint=f"classes are called {', '.join(list(label_names)[:3])}, ...",
        )
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(hierarchy[name], len(numbers)) for name in label_names]
    if not 1 < len(numbers) < len(label_names):
        raise UserError(
            "hierarchy",
            expected="2 super-classes or more, one of several classes",
            got=f"{len(numbers)} of {len(label_names)} classes",
            hint="join some classes and not all",
        )
    return np.array(groups, np.int64)
