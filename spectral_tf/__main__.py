"""`python -m spectral_tf`, the same as `spectral-tf`."""

import sys

from spectral_tf.commands import main

if __name__ == "__main__":
    sys.exit(main())
