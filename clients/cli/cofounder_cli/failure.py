"""The one way a command ends early: a sentence for stderr and an exit code for the shell."""

EXIT_OTHER = 1
EXIT_USAGE = 2


class CommandFailed(Exception):
    """Ends the command: `message` goes to stderr as it is, `exit_code` to the shell."""

    def __init__(self, message: str, *, exit_code: int = EXIT_OTHER) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
