"""Outcomes that were stored long ago are read as they were meant."""

import msgspec
import pytest

from cody_jobs.outcomes import Edit, Edited, FileOutcome, LeftAlone


@pytest.mark.parametrize(
    ("stored", "outcome"),
    [
        (
            b'{"kind":"edited","edits":[{"oldText":"a","newText":"b"}]}',
            Edited(edits=(Edit(old_text="a", new_text="b"),)),
        ),
        (b'{"kind":"unchanged","reason":"nothing to do"}', LeftAlone(reason="nothing to do")),
    ],
)
def test_an_outcome_of_an_earlier_version_is_read_and_written_as_it_was(stored: bytes, outcome: FileOutcome) -> None:
    assert msgspec.json.decode(stored, type=FileOutcome) == outcome
    assert msgspec.json.encode(outcome) == stored
