"""Links are added once, found again, and counted."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from shortener import BadAddress, Links, UnknownCode
from shortener.__main__ import main
from shortener.store import Store


class LinkRules(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "links.json"
        self.links = Links(Store(self.path))

    def test_an_address_is_found_by_its_code(self) -> None:
        code = self.links.add("https://example.org/a?b=c").code
        self.assertEqual(self.links.open(code), "https://example.org/a?b=c")

    def test_the_same_address_gets_the_same_code(self) -> None:
        first = self.links.add("https://Example.org")
        self.assertEqual(self.links.add("https://example.org/").code, first.code)

    def test_other_addresses_get_other_codes(self) -> None:
        added = {self.links.add(f"https://example.org/{page}").code for page in range(200)}
        self.assertEqual(len(added), 200)

    def test_only_web_addresses_are_taken(self) -> None:
        for wrong in ("", "example.org", "ftp://example.org/", "javascript:alert(1)", "https://"):
            with self.assertRaises(BadAddress):
                self.links.add(wrong)

    def test_visits_are_counted_and_lead_the_list(self) -> None:
        self.links.add("https://example.org/quiet")
        code = self.links.add("https://example.org/loud").code
        self.links.open(code)
        self.links.open(code)
        self.assertEqual([link.visits for link in self.links.all()], [2, 0])

    def test_links_outlive_the_program(self) -> None:
        code = self.links.add("https://example.org/").code
        self.assertEqual(Links(Store(self.path)).open(code), "https://example.org/")

    def test_an_unknown_code_is_an_error(self) -> None:
        with self.assertRaises(UnknownCode):
            self.links.open("nothing")


class CommandLine(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = str(Path(folder.name) / "links.json")

    def run_command(self, *argv: str) -> tuple[int, str]:
        written = io.StringIO()
        with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
            status = main(["--file", self.file, *argv])
        return status, written.getvalue().strip()

    def test_add_open_and_list_fit_together(self) -> None:
        status, code = self.run_command("add", "https://example.org/")
        self.assertEqual(status, 0)
        self.assertEqual(self.run_command("open", code), (0, "https://example.org/"))
        self.assertEqual(self.run_command("list"), (0, f"{code}  1 visit   https://example.org/"))

    def test_a_wrong_code_exits_with_1(self) -> None:
        self.assertEqual(self.run_command("open", "zzz"), (1, "there is no link zzz"))
