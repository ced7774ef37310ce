from cody_hosts.github.etags import ETags, Kept


def kept(size: int) -> Kept:
    return Kept(etag="x", content=b"x" * size, headers={})


def test_what_was_used_last_is_kept() -> None:
    etags = ETags(most=2)
    etags.keep(("a",), kept(1))
    etags.keep(("b",), kept(1))
    etags.find(("a",))
    etags.keep(("c",), kept(1))

    assert (etags.find(("a",)) is not None, etags.find(("b",))) == (True, None)


def test_no_more_than_so_many_bytes_are_kept() -> None:
    etags = ETags(most_bytes=10)
    for name in "abc":
        etags.keep((name,), kept(4))

    assert etags.size == (2, 8)


def test_an_answer_too_large_to_keep_is_not_kept() -> None:
    etags = ETags(most_bytes=10)
    etags.keep(("a",), kept(11))

    assert etags.size == (0, 0)


def test_a_newer_answer_takes_the_place_of_the_older_one() -> None:
    etags = ETags()
    etags.keep(("a",), kept(4))
    etags.keep(("a",), kept(6))

    assert etags.size == (1, 6)
