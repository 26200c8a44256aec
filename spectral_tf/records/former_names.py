"""Names of before, so that older run folders, tables and flagfiles stay readable.

Names in this package changed once to the field's terms: *plain* and *mirrored* became DFT and DCT,
*lobes* petals, *margins* centred log-ratios, and so on. Whatever is read goes through `current`;
whatever is written has the names of now.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

# {flag of before: flag of now}.
FLAGS = {"lobes": "petals", "code_size": "latent_dim", "corruption": "noise_std"}

# {part of a name between slashes: the same now}.
_WHOLE = {
    "plain": "dft",
    "mirrored": "dct",
    "right": "endpoints_correct",
    "right_ends": "correct_endpoints",
    "deviation": "std",
    "stopped_at": "diverged_at_step",
    "lobes": "petals",
    "margins": "log_ratios",
    "lowest_margins": "lowest_log_ratios",
    "null_margins": "null_log_ratios",
    "lowest_null_margins": "lowest_null_log_ratios",
}
# Pieces of names, and of the words for readings.
_PIECES = {
    r"plain(?=_(share|where))": "dft",
    r"mirrored(?=_(share|where))": "dct",
    r"peak_difference": "maximum_slope",
    r"fit_coefficient": "regression_slope",
    r"class_share": "correlation_ratio",
    r"learned_up_to": "cutoff_frequency",
    r"half_life": "half_attenuation",
    r"bound_cycles": "largest_local_frequency_cycles",
    r"(manifold|by|most)_lobes": r"\1_petals",
    r"(coordinate|augmented|held_out|smoothing)_deviation": r"\1_std",
}
_TEXTS = {
    # Readings of claims, measures, transforms.
    "plain share": "DFT share",
    "mirrored share": "DCT share",
    "correct ends": "correctly classified endpoints",
    # Statements of claims.
    "Waves along low image frequencies are followed further": (
        "Label noise of low image frequencies is fitted more closely"
    ),
    "networks follow fast waves further": "networks fit fast label noise more closely",
    "fast waves are followed less far": "fast label noise is fitted less closely",
}


def current(name: str) -> str:
    """The name of now of a column, an array, a series or an entry; others are as they are.

    >>> current("along/held_out/plain_share"), current("final_fit_coefficient_low")
    ('along/held_out/dft_share', 'final_regression_slope_low')
    """
    parts = [_WHOLE.get(part, part) for part in name.split("/")]
    return _replaced("/".join(parts), _PIECES)


def current_column(name: str, table: Collection[str]) -> str:
    """The name of now of a column; *place* was that of two things, told apart by the others.

    >>> current_column("place", ["wave", "kind", "place"]), current_column("place", ["network"])
    ('direction_parameter', 'pair_type')
    """
    if name == "place":
        return "direction_parameter" if "kind" in table else "pair_type"
    return current(name)


def current_text(text: str) -> str:
    """The words of now for a claim, a reading of it, a measure or a transform.

    >>> current_text("plain share, correct ends")
    'DFT share, correctly classified endpoints'
    >>> current_text("Larger networks follow fast waves further")
    'Larger networks fit fast label noise more closely'
    """
    return _replaced(current(text), _TEXTS)


def current_entries(entry: Any) -> Any:
    """A JSON value whose entries, at any depth, have their names of now.

    >>> current_entries({"waves": [{"kind": "cycles", "place": 2.0, "deviation": 0.5}]})
    {'waves': [{'kind': 'cycles', 'direction_parameter': 2.0, 'std': 0.5}]}
    """
    if isinstance(entry, Mapping):
        return {_entry(k, entry.keys()): current_entries(v) for k, v in entry.items()}
    return [current_entries(value) for value in entry] if isinstance(entry, list) else entry


def _entry(name: str, entries: Collection[str]) -> str:
    """The name of now of one of several entries; what may be anybody's word is left alone."""
    if name in ("place", "deviation") and "kind" in entries:  # Of a wave.
        return "direction_parameter" if name == "place" else "std"
    return _replaced(name, _PIECES)


def current_line(line: str) -> str:
    """A line of a flagfile with the flag's name of now.

    >>> current_line("--lobes=0,4")
    '--petals=0,4'
    """
    name, given, value = line.removeprefix("--").partition("=")
    return f"--{FLAGS.get(name, name)}{given}{value}" if line.startswith("--") else line


def _replaced(text: str, by: Mapping[str, str]) -> str:
    for piece, now in by.items():
        text = re.sub(piece, now, text)
    return text
