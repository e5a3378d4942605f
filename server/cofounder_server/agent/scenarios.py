"""The scripts of `RunnerFake`: what each scenario says, writes and runs. Data alone; nothing here knows of time."""

from collections.abc import Mapping
from dataclasses import dataclass

from cofounder_server import errors

PLAN_TITLE = "Tally"
PLAN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Count things by name", ("tally/__init__.py", "tally/counter.py")),
    ("A command line to add and list", ("tally/__main__.py",)),
    ("Tests for what is counted", ("tests/test_counter.py",)),
    ("Say how to use it", ("README.md",)),
)

ARCHITECT = (
    "A small counter for the terminal. One module counts, one talks to people, "
    "and the tests hold the first to its word.\n"
)
CODER = "I write the counter first, then the commands that use it, then the tests.\n"
DEBUGGER = (
    '`test_counts_add_up` breaks with a TypeError: `add` is called with the text "2" and adds it to a number. '
    "The amount has to be read as a number before it is added.\n"
)
REVIEWER = "All four steps are there, the tests cover what the plan promises, and nothing is left over.\n"

_COUNTER = '''"""Counts things by name."""

from collections import Counter


class Tally:
    """How often each thing was seen."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def add(self, name: str, amount: str = "1") -> int:
        """Add an amount, given as text, and return the new count."""
        self._seen[name] += {amount}
        return self._seen[name]

    def most(self) -> list[tuple[str, int]]:
        """Return every name with its count, the most frequent first."""
        return self._seen.most_common()
'''

_FILES: dict[str, str] = {
    "tally/__init__.py": '"""Counts things."""\n\nfrom tally.counter import Tally\n\n__all__ = ["Tally"]\n',
    "tally/counter.py": _COUNTER.replace("{amount}", "int(amount)"),
    "tally/__main__.py": '''"""The command line: names to count, one after the other."""

import sys

from tally import Tally

tally = Tally()
for name in sys.argv[1:]:
    tally.add(name)
for name, count in tally.most():
    print(f"{count:>4}  {name}")
''',
    "tests/test_counter.py": """import unittest

from tally import Tally


class Counting(unittest.TestCase):
    def test_counts_add_up(self) -> None:
        tally = Tally()
        tally.add("tea", "2")
        self.assertEqual(tally.add("tea"), 3)

    def test_the_most_frequent_comes_first(self) -> None:
        tally = Tally()
        for name in ("tea", "milk", "milk"):
            tally.add(name)
        self.assertEqual(tally.most(), [("milk", 2), ("tea", 1)])
""",
    "README.md": "# Tally\n\nCounts what you name: `python3 -m tally tea milk milk`.\n",
}

_PASSED = """test_counts_add_up (test_counter.Counting.test_counts_add_up) ... ok
test_the_most_frequent_comes_first (test_counter.Counting.test_the_most_frequent_comes_first) ... ok

----------------------------------------------------------------------
Ran 2 tests in 0.001s

OK
"""

FAILED_TEST = "test_counts_add_up"
FAULT = "TypeError: unsupported operand type(s) for +=: 'int' and 'str'"

_FAILED = f"""{FAILED_TEST} (test_counter.Counting.{FAILED_TEST}) ... ERROR
test_the_most_frequent_comes_first (test_counter.Counting.test_the_most_frequent_comes_first) ... ok

======================================================================
ERROR: {FAILED_TEST} (test_counter.Counting.{FAILED_TEST})
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/work/tests/test_counter.py", line 9, in {FAILED_TEST}
    tally.add("tea", "2")
  File "/work/tally/counter.py", line 14, in add
    self._seen[name] += amount
{FAULT}

----------------------------------------------------------------------
Ran 2 tests in 0.001s

FAILED (errors=1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One script.

    Args:
        files: What the coder writes: content by path, in order.
        output: What the tests print.
        passes: Whether they pass; else the build ends as partial.
        fails_with: What every method fails with instead of playing; None: the script plays.
    """

    files: Mapping[str, str]
    output: str
    passes: bool
    fails_with: type[errors.BuildError] | None = None


SCRIPTS: Mapping[str, Scenario] = {
    "happy_path": Scenario(files=_FILES, output=_PASSED, passes=True),
    "llm_failure": Scenario(files={}, output="", passes=False, fails_with=errors.ProviderFailed),
    "partial_build": Scenario(
        # The type was meant to be a number; a test gives text.
        files={**_FILES, "tally/counter.py": _COUNTER.replace("{amount}", "amount").replace('str = "1"', "int = 1")},
        output=_FAILED,
        passes=False,
    ),
    "rate_limited": Scenario(files={}, output="", passes=False, fails_with=errors.ProviderRateLimited),
}

SCENARIOS: tuple[str, ...] = tuple(SCRIPTS)


def failure(scenario: Scenario) -> errors.BuildError | None:
    """Returns what every method of the scenario fails with, if it does."""
    if scenario.fails_with is errors.ProviderFailed:
        return errors.ProviderFailed(kind="overloaded", retry_after=60.0)
    if scenario.fails_with is errors.ProviderRateLimited:
        return errors.ProviderRateLimited(retry_after=300.0, queue_depth=12)
    return None
