"""The one exception for a user's mistake: what was expected, what came, what to do."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that the user can mend, told in one line.

    Launchers print the line and exit with status 2; in a library call it is a `ValueError`. It
    names an argument; where a launcher has a flag of that name, its line names the flag.

    >>> str(UserError("num_runs", expected="at least 1", got=0, hint="ask for one run or more"))
    'num_runs: expected at least 1, got 0; ask for one run or more'
    """

    def __init__(self, subject: str, *, expected: str, got: object, hint: str) -> None:
        self.subject = " ".join(subject.split())
        line = f"{subject}: expected {expected}, got {got}; {hint}"
        super().__init__(" ".join(line.split()))


def nearest(words: str | Iterable[str], known: Iterable[str], otherwise: str) -> str:
    """The hint of an error about words that are not known.

    Args:
      words: that were given; those that are known are left out.
      known: all that there are.
      otherwise: the hint where none of them is near.

    >>> nearest("rleu", ["relu", "tanh"], "choose one")
    'did you mean relu?'
    >>> nearest(["tanh", "9"], ["relu", "tanh"], "choose one")
    'choose one'
    """
    names = {name.lower(): name for name in known}
    near: dict[str, None] = {}
    for word in [words] if isinstance(words, str) else words:
        if word in names.values():
            continue
        found = difflib.get_close_matches(word.lower(), names, n=3)
        alike = [difflib.SequenceMatcher(None, name, word.lower()).ratio() for name in found]
        near |= {names[n]: None for n, a in zip(found, alike, strict=True) if a > alike[0] - 0.1}
    return f"did you mean {' or '.join(near)}?" if near else otherwise
