"""What an experiment's flags are if nothing is said, as a run folder would have it."""

import copy
import runpy

from absl import flags

from spectral_tf import catalogue, program
from spectral_tf.records.flagfile import flag_text
from spectral_tf.runtime.flags import NOT_CONFIGURATION


def defaults() -> dict[str, str]:
    """Of the experiment that defined its flags in this process: {name: text, as `read_flags`}."""
    launcher = flags.FLAGS.find_module_defining_flag("workdir")
    found = {}
    for flag in flags.FLAGS.get_key_flags_for_module(launcher):
        if flag.name not in NOT_CONFIGURATION:
            plain = copy.deepcopy(flag)
            plain.value = plain.default
            found[flag.name] = flag_text(plain.serialize())
    return found


def defaults_of(experiment: str) -> dict[str, str] | None:
    """Those of any experiment; None of what is none.

    Its file is loaded for it, and its flags are gone again afterwards. No experiment may have
    defined flags in this process before.
    """
    if experiment not in catalogue.EXPERIMENTS:
        return None
    before = set(flags.FLAGS)
    runpy.run_path(str(program.folder() / f"{experiment}.py"), run_name=experiment)
    try:
        return defaults()
    finally:
        flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)
