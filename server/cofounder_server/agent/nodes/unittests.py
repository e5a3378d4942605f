"""What a run of `python -m unittest -v` says, counted: pure."""

import re
from dataclasses import dataclass

MOST_MESSAGE_BYTES = 1024
_MOST_FAILURES = 200

_RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
_ENDED = re.compile(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$", re.MULTILINE)
_SECTION = re.compile(r"^={70}\n(?:FAIL|ERROR|UNEXPECTED SUCCESS): (.+)$", re.MULTILINE)
_RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?:: |$)")
_FILE = re.compile(r'^  File "([^"]+)", line \d+', re.MULTILINE)
_SEPARATOR = "\n" + "-" * 70 + "\n"
_IN_SANDBOX = "/work/"


@dataclass(frozen=True, slots=True)
class Failure:
    """One test that failed: `text` is the end of what it printed, of one kilobyte at most."""

    name: str
    type: str
    message: str
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The count of one run."""

    passed: int
    failed: int
    skipped: int
    failures: list[Failure]


def read(output: str) -> Report:
    """Returns the count that stands in the output; zeros if the run did not get so far."""
    failures = [_failure(name, body) for name, body in _sections(output)]
    ran = list(_RAN.finditer(output))
    if not ran:
        return Report(0, len(failures), 0, failures)
    total = int(ran[-1][1])
    ended = _ENDED.search(output, ran[-1].end())
    counts = dict(re.findall(r"([a-z ]+)=(\d+)", (ended[1] or "") if ended else ""))
    number = {name.strip(): int(count) for name, count in counts.items()}
    skipped = number.get("skipped", 0)
    failed = number.get("failures", 0) + number.get("errors", 0) + number.get("unexpected successes", 0)
    # What fails while a class or module is set up counts as an error, not as a test.
    return Report(max(0, total - failed - skipped), failed, skipped, failures)


def _sections(output: str) -> list[tuple[str, str]]:
    found = list(_SECTION.finditer(output))[:_MOST_FAILURES]
    ends = [*(section.start() for section in found[1:]), len(output)]
    return [(section[1], output[section.end() : end]) for section, end in zip(found, ends, strict=False)]


def _failure(name: str, body: str) -> Failure:
    parts = body.split(_SEPARATOR)
    text = (parts[1] if len(parts) > 1 else body).strip()
    raised, message = _raised(text)
    files = [path for path in _FILE.findall(text) if "/lib/python" not in path and not path.startswith("<")]
    file = files[-1].removeprefix(_IN_SANDBOX) if files else ""
    return Failure(name.partition(" ")[0][:300], raised, message, file, _tail(text))


def _raised(text: str) -> tuple[str, str]:
    """Returns type and message of the exception: what stands behind the last line that is not indented before it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = _RAISED.match(line)
        if found and not line.startswith("Traceback") and number > 0 and lines[number - 1].startswith("  "):
            return found[1], line[found.end() :][:500] or found[1]
    return "Failure", (lines[-1] if lines else "")[:500]


def _tail(text: str) -> str:
    return text.encode()[-MOST_MESSAGE_BYTES:].decode(errors="ignore")
