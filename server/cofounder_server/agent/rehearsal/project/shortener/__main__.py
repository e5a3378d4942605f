"""The command line: add, open and list."""

import argparse
import sys
from pathlib import Path

from shortener.links import BadAddress, Links, UnknownCode
from shortener.store import Store


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="shortener", description="Short links for the terminal.")
    parser.add_argument("--file", type=Path, default=Path("links.json"), help="where the links are kept")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("add", help="shorten an address").add_argument("address")
    commands.add_parser("open", help="print the address of a code").add_argument("code")
    commands.add_parser("list", help="print every link")
    options = parser.parse_args(argv)
    try:
        return run(options)
    except BadAddress as error:
        print(error, file=sys.stderr)
    except UnknownCode as error:
        print(f"there is no link {error.args[0]}", file=sys.stderr)
    return 1


def run(options: argparse.Namespace) -> int:
    """Do what was asked for."""
    links = Links(Store(options.file))
    if options.command == "add":
        print(links.add(options.address).code)
    elif options.command == "open":
        print(links.open(options.code))
    else:
        for link in links.all():
            visits = "1 visit" if link.visits == 1 else f"{link.visits} visits"
            print(f"{link.code}  {visits:<8}  {link.address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
