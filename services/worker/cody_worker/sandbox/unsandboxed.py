"""Commands without a sandbox, where an operator allows it: limits and a clean environment, and no more than that."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from cody_worker.sandbox.bubblewrap import clean_environment, not_found
from cody_worker.sandbox.command import CommandLimits, CommandResult
from cody_worker.sandbox.supervised import Order, run_supervised
from cody_worker.sandbox.work_folder import WorkFolder


class Unsandboxed(Struct, frozen=True, kw_only=True):
    """A `CommandRunner`. A command can read whatever the worker can, and reach whatever network there is."""

    path: str

    async def run(
        self,
        argv: Sequence[str],
        folder: WorkFolder,
        limits: CommandLimits,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        if (missing := not_found(argv, self.path)) is not None:
            return missing
        order = Order(
            argv=argv,
            environment=clean_environment(
                self.path, home=str(folder.home), temporary=str(folder.temporary), more=environment
            ),
            folder=str(folder.tree),
            sandboxed=False,
        )
        return await run_supervised(order, limits, argv)

    def tree_in_output(self, folder: WorkFolder) -> str:
        return str(folder.tree)
