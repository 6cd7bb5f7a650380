"""Words of calls: what has a part is found by its words, and little else."""

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from controller.store import postings
from controller.store.postings import Field, Wanted

pytestmark = pytest.mark.requirement("B4")

NUMBERS = [f"+86138{number:08}" for number in Random(5).sample(range(10**8), 10_000)]
KEPT = dict(postings.part_postings(Field.CALLEE, NUMBERS))


def found(part: str, numbers: Sequence[str], kept: Mapping[int, bytes]) -> set[str]:
    """Numbers of a block with all words of this part."""
    wanted = Wanted(frozenset(postings.part_words(Field.CALLEE, part)))
    return {numbers[place] for place in wanted.places(kept, len(numbers))}


@pytest.mark.parametrize("length", [3, 4, 5, 6, 7, 9, 14])
def test_given_a_number_when_looked_for_by_any_part_of_it_then_its_words_find_it(length: int) -> None:
    number = "+8613861386021"
    numbers = [*NUMBERS[:100], number]
    kept = dict(postings.part_postings(Field.CALLEE, numbers))
    for begin in range(len(number) - length + 1):
        assert number in found(number[begin : begin + length], numbers, kept)


@pytest.mark.parametrize("part", ["613861386", "8138138", "861381381381", "38138138"])
def test_given_a_part_that_repeats_itself_when_looked_for_then_its_words_find_little_else(part: str) -> None:
    others = [number for number in found(part, NUMBERS, KEPT) if part not in number]
    # With words of four characters alone: 15 to 99 of the 10,000.
    assert len(others) < 10
