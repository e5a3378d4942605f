"""Which stores an operator's command works on."""

import os

import click

from cofounder_server.settings import Settings


def settings(*needed: str) -> Settings:
    """Returns the settings, with the stores of this machine's stack where none are named.

    Args:
        needed: Settings without which the command ends, `DATABASE_URL` and the like.
    """
    from cofounder_server.machine import addresses

    settings = Settings()
    for name, address in addresses.read(settings.data).items():
        os.environ.setdefault(name, address)
    for name in needed:
        if not os.environ.get(name):
            raise click.ClickException(
                f"{name} is not set, and no stack ever ran over {settings.data}. Set it, or set COFOUNDER_DATA."
            )
    # One line that is worth reading is enough: who looks at a table does not want to see logs.
    return Settings().model_copy(update={"log_level": "WARNING"})
