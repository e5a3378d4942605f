"""Says how a build ended: its outcome in a sentence, where the result lies, what it cost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from cofounder_cli import errors, figures
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.failure import EXIT_OTHER
from cofounder_cli.terminal import clean_line

_REHEARSAL = (
    "Rehearsal: no model was asked; the words are scripted and your idea was not read. Everything else is real."
)
_SCENARIO = (
    "Rehearsal of a scenario: no model was asked and your idea was not read. What you see is played from a script; no "
    "file, command or commit of it is real."
)

EXIT_CODES = {
    runner.BuildState.SUCCEEDED: 0,
    runner.BuildState.PARTIAL: 10,
    runner.BuildState.FAILED: 11,
    runner.BuildState.CANCELLED: 12,
}
"""What the shell is told of each terminal state."""

_HEADLINES = {
    runner.BuildState.SUCCEEDED: "Succeeded",
    runner.BuildState.PARTIAL: "Partly done",
    runner.BuildState.FAILED: "Failed",
    runner.BuildState.CANCELLED: "Cancelled",
}
_STATES = {
    "build_succeeded": runner.BuildState.SUCCEEDED,
    "build_partial": runner.BuildState.PARTIAL,
    "build_failed": runner.BuildState.FAILED,
    "build_cancelled": runner.BuildState.CANCELLED,
}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of a build. All text is clean."""

    state: runner.BuildState
    headline: str
    details: list[str] = field(default_factory=list)
    """Lines below the headline: the summary, what fails, what to do."""
    facts: list[tuple[str, str]] = field(default_factory=list)
    """Names and values, to be shown as two columns and never broken."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES.get(self.state, EXIT_OTHER)

    def lines(self) -> Iterator[str]:
        """Yields the ending as plain text."""
        yield self.headline
        yield from self.details
        yield from (f"{name:<11} {value}" for name, value in self.facts)


def of(build: runner.Build, event: runner.BuildEvent | None) -> Ending:
    """Returns how `build`, read after its end, ended.

    `event` is its terminal event; None if the watch began after it, and then only what the build itself tells is said.
    """
    state = next((_STATES[kind] for kind in _STATES if event and getattr(event, kind) is not None), build.state)
    elapsed = _elapsed(build, event)
    cost = figures.money(build.cost_microdollars)
    commit = build.commit_sha
    if event is not None and (stands := event.build_succeeded or event.build_partial) is not None:
        commit = stands.commit_sha or commit
    return Ending(
        state=state,
        headline=f"{_HEADLINES.get(state, 'Over')} in {figures.elapsed(elapsed)} for {cost}",
        details=list(_details(build, event)),
        facts=[
            (name, value)
            for name, value in (
                ("build", clean_line(build.build_id)),
                ("repository", path_of(build.repository_uri)),
                ("commit", clean_line(commit)),
                ("cost", cost),
                ("elapsed", figures.elapsed(elapsed)),
            )
            if value
        ],
    )


def rehearsal_of(build: runner.Build) -> str:
    """Returns what must be said of a build whose words no model wrote; nothing of any other."""
    if build.scenario:
        return _SCENARIO
    return _REHEARSAL if build.rehearsal else ""


def path_of(uri: str) -> str:
    """Returns the path that a `file:` URI names, or the URI itself; clean."""
    parts = urlsplit(uri)
    return clean_line(unquote(parts.path) if parts.scheme == "file" else uri)


def _elapsed(build: runner.Build, event: runner.BuildEvent | None) -> float:
    end = build.finish_time or (event.create_time if event is not None else None)
    if end is None or build.create_time is None:
        return 0.0
    return max((end - build.create_time).total_seconds(), 0.0)


def _details(build: runner.Build, event: runner.BuildEvent | None) -> Iterator[str]:
    if event is not None and (stands := event.build_succeeded or event.build_partial) is not None and stands.summary:
        yield clean_line(stands.summary)
    if event is not None and (partial := event.build_partial) is not None:
        yield from (f"✗ {clean_line(failure)}" for failure in partial.failures)
        if partial.finish_quote_microdollars:
            yield f"Finishing it is expected to cost {figures.money(partial.finish_quote_microdollars)}."
    error = event.build_failed.error if event is not None and event.build_failed is not None else build.error
    if error is not None:
        yield from errors.sentences(errors.of_build(error)).split("\n")
