from enum import StrEnum
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from cody_jobs.errors import SettingsError
from cody_runtime.settings import describe_settings, load_settings


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Struct, frozen=True, kw_only=True):
    depth: Annotated[int, Meta(ge=1, description="How deep.")] = 3


class Example(Struct, frozen=True, kw_only=True):
    inner: Inner
    api_key: Annotated[str, Meta(description="The key.", extra={"names": ("NEW_KEY", "OLD_KEY"), "secret": True})]
    colour: Annotated[Colour, Meta(description="Red or blue.")] = Colour.RED
    loud: Annotated[bool, Meta(description="Whether to shout.")] = False
    names: Annotated[tuple[str, ...], Meta(description="Who.")] = ()
    folder: Annotated[str | None, Meta(description="Where.")] = None


def test_defaults_hold_where_nothing_is_set() -> None:
    settings = load_settings(Example, {"NEW_KEY": "k"})
    assert settings == Example(inner=Inner(depth=3), api_key="k")


def test_variables_are_read_by_their_upper_case_names() -> None:
    environment = {"NEW_KEY": "k", "DEPTH": "7", "COLOUR": "blue", "LOUD": "yes", "NAMES": "a, b,,c", "FOLDER": "/x"}
    settings = load_settings(Example, environment)
    assert settings.inner.depth == 7
    assert (settings.colour, settings.loud, settings.names, settings.folder) == (
        Colour.BLUE,
        True,
        ("a", "b", "c"),
        "/x",
    )


def test_the_first_of_several_names_wins_and_empty_counts_as_unset() -> None:
    assert load_settings(Example, {"NEW_KEY": "a", "OLD_KEY": "b"}).api_key == "a"
    assert load_settings(Example, {"NEW_KEY": " ", "OLD_KEY": "b"}).api_key == "b"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsError, match=r"NEW_KEY is not set. The key\."):
        load_settings(Example, {})


@pytest.mark.parametrize(
    ("name", "value"), [("DEPTH", "0"), ("DEPTH", "deep"), ("COLOUR", "green"), ("LOUD", "perhaps")]
)
def test_a_wrong_value_is_named_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: '{value}' is wrong"):
        load_settings(Example, {"NEW_KEY": "k", name: value})


def test_a_wrong_secret_is_not_shown() -> None:
    class Secret(Struct, frozen=True, kw_only=True):
        pin: Annotated[int, Meta(extra={"secret": True})]

    with pytest.raises(SettingsError) as caught:
        load_settings(Secret, {"PIN": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_settings_can_be_listed_for_the_readme() -> None:
    listed = {setting.names[0]: setting for setting in describe_settings(Example)}
    assert list(listed) == ["DEPTH", "NEW_KEY", "COLOUR", "LOUD", "NAMES", "FOLDER"]
    assert listed["NEW_KEY"].secret
    assert listed["NEW_KEY"].required
    assert listed["DEPTH"].default == 3
    assert listed["DEPTH"].description == "How deep."
