"""A cast of agents on a scripted wire: what each role says, line after line."""

from cofounder_server.testing import anthropic_wire as fake
from cofounder_server.testing.anthropic_wire import Answer, Call

PLAN = '```json\n{"title": "T", "steps": [{"description": "d", "files": ["app.py", "tests/test_app.py"]}]}\n```'
COMPLETE = 'Good.\n```json\n{"complete": true, "findings": []}\n```'
PASSING = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(1, 1)\n"
FAILING = PASSING.replace("1, 1)", "1, 2)")

Say = str | Answer


def file(path: str, content: str) -> str:
    return f'<file path="{path}">\n{content}</file>\n'


def project(test: str = PASSING) -> str:
    return "Here:\n" + file("app.py", "x = 1\n") + file("tests/__init__.py", "") + file("tests/test_app.py", test)


class Cast:
    """Answers by role: each has lines, the last of which it says again and again."""

    def __init__(self, **lines: list[Say]) -> None:
        self._lines: dict[str, list[Say]] = {
            "architect": [f"A plan.\n{PLAN}"],
            "coder": [project()],
            "debugger": ["The cause is known."],
            "reviewer": [COMPLETE],
            **lines,
        }
        self.heard: dict[str, list[str]] = {role: [] for role in self._lines}

    def __call__(self, call: Call) -> Answer:
        role = call.system.partition("\n")[0].removeprefix("# ").lower()
        lines = self._lines[role]
        self.heard[role].append(call.messages)
        line = lines[min(len(self.heard[role]), len(lines)) - 1]
        return fake.say([line[at : at + 7] for at in range(0, len(line), 7)]) if isinstance(line, str) else line
