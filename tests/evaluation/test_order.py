"""Results of several processes are put into the order of the list."""

from mmsigma.evaluation.order import in_list_order


def ordered(*results: tuple[str, int | None]) -> list[str]:
    found = in_list_order(results, lambda result: result[0], lambda result: result[1])
    return [name for name, _ in found]


def test_positions_decide_and_names_do_not() -> None:
    assert ordered(('a10', 1), ('a2', 2), ('b', 0)) == ['b', 'a10', 'a2']
    assert ordered(('b', 1), ('a', 0), ('b', 1)) == ['a', 'b', 'b']  # a sampler filled up


def test_results_stay_as_they_arrive_without_positions_of_one_list() -> None:
    assert ordered(('b', None), ('a', None)) == ['b', 'a']
    assert ordered(('b', 1), ('a', None), ('c', 0)) == ['b', 'a', 'c']
    assert ordered(('c', 1), ('b', 0), ('a', 0)) == ['c', 'b', 'a']  # of two lists that were joined
    assert ordered() == []
