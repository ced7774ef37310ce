import pytest

from cody_jobs.failure_groups import normal_message


@pytest.mark.parametrize(
    ("message", "normal"),
    [
        (
            "2 of 41 candidate files failed: syntax_broken 2 (src/a.py, b.py)",
            "… of … candidate files failed: syntax_broken … (…, …)",
        ),
        ("the branch 'main' of acme/web is gone", "the branch … of … is gone"),
        ("commit 3f9a1c0b9d8e7f6a is not there", "commit … is not there"),
        ("waited 1,200.5 s.", "waited … s."),
        ("it doesn't parse and can't be read", "it doesn't parse and can't be read"),
        ("cafe and feedback", "cafe and feedback"),
        ("a\n  b", "a b"),
    ],
)
def test_what_a_message_is_about_is_left_out(message: str, normal: str) -> None:
    assert normal_message(message) == normal
