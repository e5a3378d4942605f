"""Where links are kept: one JSON file, replaced in one step."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Link:
    """An address under its code, and how often it was opened."""

    code: str
    address: str
    visits: int = 0


class Store:
    """The links of one file, in the order in which they were added."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> list[Link]:
        """Return all links; none if there is no file yet."""
        try:
            return [Link(**entry) for entry in json.loads(self.path.read_text())]
        except FileNotFoundError:
            return []

    def save(self, links: list[Link]) -> None:
        """Replace the file: a reader sees the old links or the new ones."""
        text = json.dumps([asdict(link) for link in links], indent=2)
        handle, partial = tempfile.mkstemp(dir=self.path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(partial, self.path)
