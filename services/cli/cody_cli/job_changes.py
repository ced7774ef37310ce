"""The bodies of approve and retry; None where nothing is said."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cody_cli.job_file import read_prompt


class _Approval(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    prompt: str | UnsetType = UNSET
    again: bool = False


class _Rerun(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    codes: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    prompt: str | UnsetType = UNSET


def approval(prompt: str | None, prompt_file: Path | None, *, again: bool) -> bytes | None:
    return _body(_Approval(prompt=read_prompt(prompt, prompt_file), again=again))


def rerun(
    codes: Sequence[str],
    outcomes: Sequence[str],
    repositories: Sequence[str],
    prompt: str | None,
    prompt_file: Path | None,
) -> bytes | None:
    return _body(
        _Rerun(
            codes=tuple(codes),
            outcomes=tuple(outcomes),
            repositories=tuple(repositories),
            prompt=read_prompt(prompt, prompt_file),
        )
    )


def _body(said: Struct) -> bytes | None:
    return None if said == type(said)() else msgspec.json.encode(said)
