"""The rules: which addresses are taken, and which code each of them gets."""

from urllib.parse import urlsplit, urlunsplit

from shortener import codes
from shortener.store import Link, Store

# Codes start here, so that the first ones already have two characters.
FIRST_NUMBER = 1000


class BadAddress(ValueError):
    """The address is not one that a browser could open."""


class UnknownCode(KeyError):
    """No link has this code."""


class Links:
    """Adds links and finds them again."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, address: str) -> Link:
        """Return the link for an address; the same address gets the same link."""
        address = normalise(address)
        links = self.store.load()
        for link in links:
            if link.address == address:
                return link
        link = Link(codes.encode(FIRST_NUMBER + len(links)), address)
        self.store.save([*links, link])
        return link

    def open(self, code: str) -> str:
        """Return the address of a code and count the visit."""
        links = self.store.load()
        for link in links:
            if link.code == code:
                link.visits += 1
                self.store.save(links)
                return link.address
        raise UnknownCode(code)

    def all(self) -> list[Link]:
        """Return every link, the most visited first."""
        return sorted(self.store.load(), key=lambda link: -link.visits)


def normalise(address: str) -> str:
    """Return one spelling for addresses that mean the same."""
    parts = urlsplit(address.strip())
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise BadAddress(f"{address!r} is no http or https address")
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, ""))
