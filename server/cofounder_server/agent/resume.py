"""Where a build can be gone on with: the newest end of a stage in its log whose state and tree are whole."""

from uuid import UUID

import asyncpg

from cofounder_server.agent.checkpoints import Checkpoints
from cofounder_server.agent.trees import Trees
from cofounder_server.builds.model import StageEnd
from cofounder_server.builds.read import stage_ends


class Resumes:
    """Finds where lost attempts can be gone on with."""

    def __init__(self, pool: asyncpg.Pool, checkpoints: Checkpoints, trees: Trees) -> None:
        self._pool = pool
        self._checkpoints = checkpoints
        self._trees = trees

    async def find(self, build_id: UUID) -> StageEnd | None:
        """Returns the newest usable end of a stage; None if there is none, and the build must begin anew.

        Everything that going on needs is read here, and every hash checked: not under a lock, where nobody should wait
        for a bucket. The log may grow meanwhile; `Transitions.begin_attempt` decides.
        """
        for end in reversed(await stage_ends(self._pool, build_id)):
            if await self._usable(end):
                return end
        return None

    async def _usable(self, end: StageEnd) -> bool:
        state = await self._checkpoints.state_after(end)
        if state is None:
            return False
        bundle = bytes.fromhex(state.get("bundle", ""))
        return await self._trees.whole(end.tree_hash, *([bundle] if bundle else []))
