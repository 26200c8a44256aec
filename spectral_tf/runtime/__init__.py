"""What a launcher needs around its experiment: flags, the way in and out, seeds, strategies.

Only launchers and `spectral_tf.training` import it; nothing here imports TensorFlow before it must.
"""

from spectral_tf.runtime.cores import chosen_cores
from spectral_tf.runtime.flags import (
    asked_classes,
    check_at_least,
    check_at_most,
    check_jacobian_flag,
    class_subset,
    data_locations,
    define_class_subset_flag,
    define_classes_flag,
    define_classifier_flags,
    define_contract_flags,
    define_cores_flag,
    define_data_dir_flag,
    define_data_flags,
    define_finite_float,
    define_jacobian_flag,
    define_learning_rate_flag,
    define_network_flags,
    define_path_flags,
    define_run_flags,
    define_seeds_flag,
    define_shift_flag,
    define_subject_flags,
    flag_group,
    parse_choices,
    parse_floats,
    parse_ints,
    two_classes,
)
from spectral_tf.runtime.folder import run_folder, say_where
from spectral_tf.runtime.launch import configuration, flag, launch, settings
from spectral_tf.runtime.manual import defaults_of
from spectral_tf.runtime.seeds import derive_seed, generator

__all__ = [
    "asked_classes",
    "check_at_least",
    "check_at_most",
    "check_jacobian_flag",
    "chosen_cores",
    "class_subset",
    "configuration",
    "data_locations",
    "defaults_of",
    "define_class_subset_flag",
    "define_classes_flag",
    "define_classifier_flags",
    "define_contract_flags",
    "define_cores_flag",
    "define_data_dir_flag",
    "define_data_flags",
    "define_finite_float",
    "define_jacobian_flag",
    "define_learning_rate_flag",
    "define_network_flags",
    "define_path_flags",
    "define_run_flags",
    "define_seeds_flag",
    "define_shift_flag",
    "define_subject_flags",
    "derive_seed",
    "flag",
    "flag_group",
    "generator",
    "launch",
    "parse_choices",
    "parse_floats",
    "parse_ints",
    "run_folder",
    "say_where",
    "settings",
    "two_classes",
]
