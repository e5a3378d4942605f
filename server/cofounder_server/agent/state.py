"""What the pipeline knows between two stages: plain values only, so that it can be stored and taken up again."""

import operator
from typing import Annotated, Literal, TypedDict


class PlanStep(TypedDict):
    """One step of the plan."""

    index: int
    description: str
    files: list[str]
    status: Literal["pending", "active", "done"]


class ActiveError(TypedDict):
    """What fails now."""

    step: str
    type: str
    message: str
    file: str


class TestCount(TypedDict):
    """The tests of the last run."""

    passed: int
    failed: int
    skipped: int


class Ended(TypedDict):
    """The end of a stage. It stands in the state, so that the checkpoint knows which end it is of."""

    attempt: int
    stage: int
    iteration: int
    outcome: int
    summary: str
    # The tree hash, hexadecimal.
    tree: str


class State(TypedDict, total=False):
    """The pipeline's state. Files are in the workspace; `changes` tells what became of each since the beginning."""

    goal: str
    title: str
    steps: list[PlanStep]
    changes: dict[str, Literal["create", "modify", "delete"]]
    output: str
    exit_code: int
    errors: list[ActiveError]
    tests: TestCount
    analysis: str
    findings: list[str]
    review: str
    # How often each stage ran.
    runs: Annotated[dict[str, int], operator.or_]
    retry_count: int
    branch: str
    commits: list[str]
    # The address of the blob that holds the commits, hexadecimal.
    bundle: str
    node: str
    ended: Ended
    needs_human_review: bool
    is_complete: bool
    has_fatal_error: bool


def begin(goal: str) -> State:
    """Returns the state before the first stage."""
    return State(
        goal=goal,
        title="",
        steps=[],
        changes={},
        errors=[],
        findings=[],
        analysis="",
        runs={},
        retry_count=0,
        commits=[],
        needs_human_review=False,
        is_complete=False,
        has_fatal_error=False,
    )
