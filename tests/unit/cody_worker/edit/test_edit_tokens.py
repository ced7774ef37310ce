"""What Claude is sent for a changed file, counted on real files by the code of the benchmark."""

from benchmarks.edit_tokens import measure, ordinary_files


async def test_a_change_that_is_local_costs_less_than_half_of_sending_each_file_whole() -> None:
    files = ordinary_files(40)
    bare, whole, alone, worker = await measure(files, "claude-sonnet-5-5")
    assert len(files) == whole.changed == alone.changed == worker.changed == 40
    assert worker.requests <= 1.1 * worker.changed
    assert alone.requests <= 1.1 * alone.changed
    assert worker.tokens_per_file <= 0.5 * min(whole.tokens_per_file, bare.tokens_per_file)
    assert worker.microusd_per_file <= 0.5 * whole.microusd_per_file
