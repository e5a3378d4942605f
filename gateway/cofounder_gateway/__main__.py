"""`python -m cofounder_gateway`: one port for browsers, until SIGTERM."""

import argparse
import os
import sys

import uvloop
from pydantic import ValidationError

from cofounder_gateway import settings

_HELP = """\
Serves browsers on one port: the page, health, and the websocket /api/socket, which
relays build logs and passes calls on to the server. Everything is set by environment:

  PORT, COFOUNDER_HOST          where to listen (8080, 127.0.0.1; port 0 takes a free one)
  COFOUNDER_SERVER              the server's gRPC address (127.0.0.1:50051)
  COFOUNDER_SERVICE_TOKEN_FILE  a file with the gateway's own bearer token
  COFOUNDER_ENV                 development or production
  COFOUNDER_ALLOWED_ORIGINS     exact origins that may open a socket, by commas
                                (in development, this machine's own if none is named)
  COFOUNDER_LOG_LEVEL           DEBUG, INFO, WARNING or ERROR (INFO)

And every duration and limit, as COFOUNDER_GATEWAY_<NAME>:
"""


def main() -> None:
    """Parses the command line and serves."""
    parser = argparse.ArgumentParser(
        prog="cofounder-gateway", description=_HELP + _limits(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    try:
        config = settings.Settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            print(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    # The library of gRPC writes lines of its own, which are no JSON; it reads this once, when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from cofounder_gateway import app

    sys.exit(uvloop.run(app.serve(config)))


def _limits() -> str:
    fields = settings.Settings.model_fields
    return "\n".join(
        f"  {name.upper():<30}{field.default}" for name, field in fields.items() if field.validation_alias is None
    )


if __name__ == "__main__":
    main()
