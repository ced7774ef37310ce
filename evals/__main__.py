"""`python -m evals`: every migration against the stand-in for Claude, or against Claude itself.

    ./dev eval [--only NAME ...] [--json FILE]
    ./dev eval --real [--model MODEL] [--max-cost-usd X] [--only NAME ...] [--json FILE]

With --real, CLAUDE_API_KEY has to be set, and the calls cost money. The exit code is 0 if every file is right.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.tables import print_machine
from cody_stand_ins.claude import claude_stand_in
from demo.clean_end import temporary_data
from evals.measure import Bench, measure
from evals.migration import Migration
from evals.migrations import MIGRATIONS
from evals.report import print_reasons, print_score, print_score_head, print_total, scores_as_json
from evals.score import Score
from tests.story.system import running_system

GOOD_CLAUDE = ("--migrations", "evals.good_claude:find_rewrite")
_KEYS = ("CLAUDE_API_KEY", "ANTHROPIC_API_KEY")
_OF_THE_WAY_OUT = ("CLAUDE_BASE_URL", "ANTHROPIC_BASE_URL", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
_DEFAULT_CAP_USD = 5.0
_FAILED, _USAGE = 1, 2


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    options = _parser().parse_args(arguments)
    if options.real and not any(environment.get(name) for name in _KEYS):
        sys.stderr.write(
            "eval: --real asks Claude itself, and needs a key: CLAUDE_API_KEY=… ./dev eval --real\n"
            "  try: ./dev eval (without --real) runs against the stand-in and costs nothing\n"
        )
        return _USAGE
    chosen = [migration for migration in MIGRATIONS if not options.only or migration.name in options.only]
    scores = asyncio.run(_evaluate(chosen, options, environment))
    if options.json is not None:
        options.json.write_bytes(scores_as_json(scores))
    return 0 if len(scores) == len(chosen) and all(score.success for score in scores) else _FAILED


async def _evaluate(
    migrations: Sequence[Migration], options: argparse.Namespace, environment: Mapping[str, str]
) -> list[Score]:
    scores: list[Score] = []
    print_machine()
    async with temporary_data() as folder, _bench(folder, options, environment) as bench:
        print_score_head()
        for migration in migrations:
            left = options.max_cost_usd - sum(score.cost_usd for score in scores) if options.real else None
            if left is not None and left <= 0:
                break
            scores.append(await measure(bench, migration, max_cost_usd=left))
            print_score(scores[-1])
        print_total(scores)
    print_reasons(scores)
    if len(scores) < len(migrations):
        names = ", ".join(migration.name for migration in migrations[len(scores) :])
        print(f"\nnot run, because ${options.max_cost_usd:g} are spent: {names}")
    return scores


@asynccontextmanager
async def _bench(folder: Path, options: argparse.Namespace, environment: Mapping[str, str]) -> AsyncGenerator[Bench]:
    root = folder / "repositories"
    async with (
        _claude(environment, real=options.real) as claude,
        running_system(folder, {"REPOSITORIES_ROOT": str(root), **claude}) as system,
    ):
        yield Bench(system=system, root=root, model=options.model, clock=time.monotonic)


@asynccontextmanager
async def _claude(environment: Mapping[str, str], *, real: bool) -> AsyncGenerator[Mapping[str, str]]:
    """How the worker reaches Claude."""
    if real:
        yield {name: environment[name] for name in (*_KEYS, *_OF_THE_WAY_OUT) if environment.get(name)}
        return
    async with claude_stand_in(options=GOOD_CLAUDE) as stand_in:
        yield {"CLAUDE_API_KEY": stand_in.key, "CLAUDE_BASE_URL": stand_in.url}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev eval", description="How right the edits of the engine are.")
    parser.add_argument("--real", action="store_true", help="ask Claude itself, for money")
    parser.add_argument("--model", help="the model that is asked (default: that of the settings)")
    parser.add_argument("--max-cost-usd", type=float, default=_DEFAULT_CAP_USD, metavar="X", help="of all together")
    parser.add_argument(
        "--only", action="extend", nargs="+", choices=[migration.name for migration in MIGRATIONS], metavar="NAME"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores there, too")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
