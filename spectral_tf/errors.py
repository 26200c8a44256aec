"""The one exception for a user's mistake: what was expected, what came, what to do."""


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
