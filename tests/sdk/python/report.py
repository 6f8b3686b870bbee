"""One line a check, as `cargo xtask test` counts them, and counts at the end."""

from contextlib import contextmanager


class Report:
    """What was checked so far."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    @contextmanager
    def check(self, sentence):
        """One check: the sentence holds if what is done beneath it raises nothing."""
        try:
            yield
        except Exception as error:  # Whatever went wrong, the sentence does not hold.
            self.failed += 1
            print(f"not ok - {sentence}: {reason(error)}", flush=True)
        else:
            self.passed += 1
            print(f"ok - {sentence}", flush=True)

    def end(self):
        """Prints the counts; answers the exit code."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def reason(error):
    """The error in one line, with its type, as SDKs raise some that say little else."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def equal(actual, expected):
    """Compares type and value: the wire's true is neither 1 nor "true"."""
    if (type(actual), actual) != (type(expected), expected):
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def holds(condition, otherwise):
    """Fails with what was found instead."""
    if not condition:
        raise AssertionError(f"found {otherwise!r}")
