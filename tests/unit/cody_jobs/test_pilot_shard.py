from cody_jobs.pilot_shard import QueuedRun, pilot_positions


def queued(count: int, dispatched: int = 0) -> list[QueuedRun]:
    """The first ones were dispatched once."""
    return [QueuedRun(position=position, dispatches=int(position < dispatched)) for position in range(count)]


def test_a_pilot_looks_at_four_times_the_sample_spread_over_the_list() -> None:
    assert pilot_positions(queued(1_000), sample=10, attempts=0) == list(range(0, 1_000, 25))
    assert len(pilot_positions(queued(1_000), sample=1, attempts=0)) == 16
    assert pilot_positions(queued(5), sample=10, attempts=0) == [0, 1, 2, 3, 4]
    assert pilot_positions([], sample=1, attempts=0) == []


def test_what_was_with_a_pilot_before_comes_last() -> None:
    assert pilot_positions(queued(20, dispatched=16), sample=2, attempts=1) == [0, 4, 8, 12, 16, 17, 18, 19]


def test_pilots_that_die_look_at_ever_fewer_and_first_at_no_fewer_than_the_sample() -> None:
    looked_at = [len(pilot_positions(queued(100), sample=5, attempts=attempts)) for attempts in range(7)]
    assert looked_at == [20, 10, 5, 5, 1, 1, 1]
