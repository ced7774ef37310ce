"""`cody-batch up`: every program on this machine, until Ctrl-C."""

import sys
from collections.abc import Mapping

import click

from cody_cli.claude_key import claude_key_is_missing
from cody_cli.data_folder import DataFolder
from cody_cli.interrupts import interrupts
from cody_cli.output import json_option, print_json_line, run_async, tell
from cody_cli.stack import Stack, StackPlan, running_stack
from cody_cli.stack_plan import plan_for_up


@click.command()
@json_option
@click.pass_obj
def up(environment: Mapping[str, str], *, as_json: bool) -> None:
    """Start the API and the dispatcher (which starts workers) on this machine, until Ctrl-C.

    Settings are environment variables. Without DATABASE_URL everything is kept in CODY_DATA (~/.cody-batch), with a
    PostgreSQL server of its own. Repositories are found below REPOSITORIES_ROOT.

    A second Ctrl-C does not wait for anything: workers notice it and end within 20 s, and jobs go on at the next start.
    """
    plan = plan_for_up(environment, plain_logs=sys.stderr.isatty())
    run_async(_serve(plan, as_json=as_json))


async def _serve(plan: StackPlan, *, as_json: bool) -> None:
    with interrupts() as ctrl_c:
        async with running_stack(plan, say=tell) as stack:
            ctrl_c.at_once, ctrl_c.listening = stack.kill, True
            if await ctrl_c.unless_interrupted(stack.wait_until_ready()):
                _announce(stack, plan.environment, as_json=as_json)
            await ctrl_c.first.wait()
            tell("stopping; Ctrl-C again ends it at once (workers end within 20 s then)")
    tell("stopped")


def _announce(stack: Stack, environment: Mapping[str, str], *, as_json: bool) -> None:
    data = DataFolder(environment)
    token = data.token_file if data.token() else None
    if as_json:
        print_json_line(
            {
                "url": stack.url,
                "documentation": f"{stack.url}/docs",
                "tokenFile": str(token) if token else None,
                "repositoriesRoot": environment["REPOSITORIES_ROOT"],
                "pids": stack.pids(),
            }
        )
        return
    click.echo(
        f"""
Cody Batch serves at {stack.url} (Ctrl-C ends it)

  documentation   {stack.url}/docs
  token           {token or "make one: cody-batch ops token create --name NAME --role admin"}
  repositories    {environment["REPOSITORIES_ROOT"]}/OWNER/NAME
  try             cody-batch run --repo PATH --prompt "what to change"
  jobs            cody-batch submit JOB.json, cody-batch list, cody-batch show JOB
"""
    )
    if claude_key_is_missing(environment):
        tell("There is no Claude key: jobs will fail until you start this again with CLAUDE_API_KEY set.")
