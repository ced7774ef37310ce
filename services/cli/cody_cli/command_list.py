"""Every command, with its line in the help; the modules behind them are imported when they are run."""

from cody_cli.lazy_group import LazyGroup

_COMMANDS = {
    "up": ("cody_cli.commands.up:up", "Start every program on this machine, until Ctrl-C."),
    "run": ("cody_cli.commands.run:run", "Run one prompt over local repositories and write the patches."),
    "submit": ("cody_cli.commands.submit:submit", "Submit a job and print its id."),
    "list": ("cody_cli.commands.list:list_jobs", "List jobs, newest first."),
    "show": ("cody_cli.commands.show:show", "Show a job and what became of its repositories."),
    "plan": ("cody_cli.commands.plan:plan", "Show or replace the plan of a job."),
    "diff": ("cody_cli.commands.diff:diff", "Show or save the diff of a repository."),
    "thread": ("cody_cli.commands.thread:thread", "Show the conversations with Claude about a repository."),
    "events": ("cody_cli.commands.events:events", "Show what happens to a job, as it happens."),
    "groups": ("cody_cli.commands.groups:groups", "Show failures that are alike, and diffs that make the same change."),
    "approve": ("cody_cli.commands.approve:approve", "Let a job go on after its sample."),
    "cancel": ("cody_cli.commands.cancel:cancel", "Cancel a job."),
    "retry": ("cody_cli.commands.retry:retry", "Run repositories of a job again: what failed, or what you name."),
    "trace": ("cody_cli.commands.trace:trace", "Show where the time of a job went."),
    "ops": ("cody_cli.command_list:ops", "Operate: tokens, stuck jobs, dead letters, old jobs."),
}

_OPS = {
    "token": ("cody_cli.commands.ops_token:token", "Make, list and revoke API tokens."),
    "requeue": ("cody_cli.commands.ops_requeue:requeue", "Dispatch a stuck job again."),
    "dead-letters": ("cody_cli.commands.ops_dead_letters:dead_letters", "List or redrive messages that were given up."),
    "bootstrap": ("cody_cli.commands.ops_bootstrap:bootstrap", "Create what CODY_BACKEND=aws needs, on emulators."),
    "prune": ("cody_cli.commands.ops_prune:prune", "Delete jobs that ended long ago, with all their results."),
}

cody_batch = LazyGroup(
    "cody-batch",
    _COMMANDS,
    "One prompt, many repositories, reviewed diffs.\n\n"
    "Begin with `cody-batch run --repo PATH --prompt TEXT`: it starts what it needs, shows the progress and writes "
    "the patches; the repositories themselves are not touched.",
)

ops = LazyGroup(
    "ops",
    _OPS,
    "Work on the stores directly, with the programs' settings (DATABASE_URL, CODY_DATA, CODY_BACKEND) and no API in "
    "between.",
)
