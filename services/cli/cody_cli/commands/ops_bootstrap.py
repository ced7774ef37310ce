"""`cody-batch ops bootstrap`: create what CODY_BACKEND=aws needs."""

from collections.abc import Mapping

import click

from cody_backends.bootstrap import BootstrapSettings, Step
from cody_cli.failures import BadInput, CommandFailed
from cody_cli.output import json_option, print_json, run_async, tell
from cody_jobs.errors import CodyError, SettingsError, Unavailable
from cody_runtime.logs import configure_logs
from cody_runtime.settings import load_settings


@click.command()
@click.option("--really", is_flag=True, help="Also on real AWS: in a sandbox account, never in production.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=60,
    show_default=True,
    help="Seconds that each service is waited for.",
)
@json_option
@click.pass_obj
def bootstrap(environment: Mapping[str, str], *, really: bool, patience: float, as_json: bool) -> None:
    """Create tables, queues, the log group, and AWS Batch's compute environment, job queue and job definition.

    For emulators and sandboxes: the services are where AWS_ENDPOINT_URL_DYNAMODB, _SQS, _BATCH and _CLOUDWATCH_LOGS
    say. What is there already stays; a job definition that has changed gets a new revision. Workers run WORKER_IMAGE
    with the variables that WORKER_VARIABLES names (by default all that a worker reads), as they are set here.
    """
    configure_logs("cody-batch", level="WARNING", plain=True)
    try:
        steps = run_async(_bootstrap(environment, really=really, patience=patience, quiet=as_json))
    except SettingsError as error:
        raise BadInput(str(error)) from error
    except Unavailable as error:
        hint = "is it started? AWS_ENDPOINT_URL_DYNAMODB, _SQS, _BATCH and _CLOUDWATCH_LOGS say where"
        raise CommandFailed(str(error), hint=hint) from error
    except CodyError as error:
        raise CommandFailed(str(error) or (type(error).__doc__ or error.code)) from error
    if as_json:
        print_json(steps)


async def _bootstrap(environment: Mapping[str, str], *, really: bool, patience: float, quiet: bool) -> list[Step]:
    from cody_backends.bootstrap import bootstrap as create

    settings = load_settings(BootstrapSettings, environment)
    steps: list[Step] = []
    async for step in create(settings, environment, really=really, patience=patience):
        steps.append(step)
        if not quiet:
            _show(step)
    return steps


def _show(step: Step) -> None:
    click.echo(f"{step.what}: {step.outcome}")
    if step.note:
        tell(f"  warning: {step.note}")
