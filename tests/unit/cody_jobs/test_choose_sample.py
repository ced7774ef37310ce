from cody_jobs.choose_sample import RepositoryFacts, choose_sample


def facts(name: str, language: str, *, size: int, matches: int, candidates: int = 3) -> RepositoryFacts:
    return RepositoryFacts(
        repository=name, languages=(language,), files=9, bytes=size, candidates=candidates, matches=matches
    )


ALIKE = [facts(f"acme/py{number}", "python", size=10_000, matches=10) for number in range(8)]
HUGE = facts("acme/huge", "python", size=90_000_000, matches=41)
GO = facts("acme/go", "go", size=10_000, matches=10)
NOTHING = RepositoryFacts(repository="acme/none", languages=("go",), files=7)
UNREADABLE = RepositoryFacts(repository="acme/gone", problem="repository_not_found")


def chosen(all_facts: list[RepositoryFacts], size: int) -> list[str]:
    return [one.repository for one in choose_sample(all_facts, size)]


def test_a_sample_begins_with_the_most_typical_and_goes_on_with_what_differs_most() -> None:
    assert chosen([HUGE, *ALIKE, GO], 1) == ["acme/py0"]
    assert set(chosen([HUGE, *ALIKE, GO], 3)) == {"acme/py0", "acme/huge", "acme/go"}


def test_each_choice_is_explained() -> None:
    why = {one.repository: one.why for one in choose_sample([HUGE, *ALIKE, GO], 3)}
    assert why == {
        "acme/py0": "the most typical; python; 10 matches in 3 files",
        "acme/huge": "the largest; python; 41 matches in 3 files",
        "acme/go": "the smallest; go; 10 matches in 3 files",
    }


def test_repositories_with_nothing_to_change_come_last_and_unreadable_ones_after_them() -> None:
    assert chosen([UNREADABLE, NOTHING, GO], 1) == ["acme/go"]
    whole = choose_sample([UNREADABLE, NOTHING, GO], 5)
    assert [one.repository for one in whole] == ["acme/go", "acme/none", "acme/gone"]
    assert "no candidate in 7 files" in whole[1].why
    assert "repository_not_found" in whole[2].why


def test_the_same_facts_lead_to_the_same_choice() -> None:
    many = [
        facts(f"acme/r{n}", ("go", "python", "java")[n % 3], size=n * n * 100, matches=n % 7 + 1) for n in range(60)
    ]
    assert choose_sample(many, 9) == choose_sample(list(many), 9)
    assert len(set(chosen(many, 9))) == 9


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose_sample([], 3) == ()
