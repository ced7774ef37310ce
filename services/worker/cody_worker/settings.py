"""What a worker reads from its environment."""

from typing import Annotated

from msgspec import Meta, Struct

from cody_backends.settings import BackendSettings
from cody_hosts.open_code_host import HostSettings
from cody_runtime.program import RuntimeSettings
from cody_worker.claude.settings import ClaudeSettings


class WorkerSettings(Struct, frozen=True, kw_only=True):
    runtime: RuntimeSettings
    backend: BackendSettings
    host: HostSettings
    claude: ClaudeSettings
    files_at_once: Annotated[
        int, Meta(ge=1, le=256, description="Files that one worker asks Claude about at once.")
    ] = 8
    economy_files_at_once: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="The same in the economy lane, where as many of them as can be share a batch.",
        ),
    ] = 512
    economy_search_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=3_600,
            description="In the economy lane: so long a batch whose sender died, or was not answered, is looked for "
            "before it is sent again.",
        ),
    ] = 120.0
    lease_seconds: Annotated[
        int,
        Meta(ge=3, le=3600, description="A worker silent for that long loses its runs; it reports three times in it."),
    ] = 60
    max_file_bytes: Annotated[int, Meta(ge=1, le=10_000_000, description="Larger files are skipped, and counted.")] = (
        262_144
    )
    git_memory_mb: Annotated[int, Meta(ge=64, le=65_536, description="Memory for the git work of one repository.")] = (
        1024
    )
    git_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="Time for each step of the git work of one repository.")
    ] = 300
    scratch: Annotated[
        str | None,
        Meta(description="Folder for clones while they are worked on. Unset: the system's temporary folder."),
    ] = None
    allow_unsandboxed_commands: Annotated[
        bool,
        Meta(
            description="Run the commands of a job even where there is no sandbox for them: only where every target "
            "repository and every client is trusted."
        ),
    ] = False
    command_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="Time for each codemod or verify command of a job.")
    ] = 600
    command_memory_mb: Annotated[
        int, Meta(ge=64, le=1_048_576, description="Memory for each command, with all that it starts.")
    ] = 4_096
    command_processes: Annotated[int, Meta(ge=16, le=65_536, description="Processes and threads of each command.")] = (
        1_024
    )
    command_folders: Annotated[
        tuple[str, ...],
        Meta(
            description="More folders that commands may read, such as installations of languages, comma separated; "
            "what is in their `bin` is found."
        ),
    ] = ()
    commit_author: Annotated[str, Meta(description="Name of the commits' author.")] = "Cody Batch"
    commit_email: Annotated[str, Meta(description="E-mail address of the commits' author.")] = "cody-batch@localhost"
