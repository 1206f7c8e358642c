from __future__ import annotations

import os
import threading

from adapter.store.randomness import fresh


def test_no_bytes_are_given_out_twice_by_any_thread() -> None:
    made: list[list[bytes]] = [[] for _ in range(4)]

    def make(into: list[bytes]) -> None:
        into += [fresh(12) for _ in range(2_000)]

    threads = [threading.Thread(target=make, args=(each,)) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for some in made for each in some}) == 8_000


def test_more_than_a_page_can_be_had() -> None:
    assert len(fresh(10_000)) == 10_000
    assert len(fresh(0)) == 0


def test_a_forked_process_gives_out_none_of_its_parents_bytes() -> None:
    fresh(12)  # there is a page, with something left in it
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, fresh(12))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 12) != fresh(12)
    os.close(reading)
    os.close(writing)
