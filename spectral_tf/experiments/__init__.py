"""What several pages compose in the same way, from all other rooms; nothing but pages imports it.

The modules import TensorFlow when a strategy is there, not before: take them after the checks.
"""
