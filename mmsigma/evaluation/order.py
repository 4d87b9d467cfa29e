"""Order of results that several processes have collected."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Result = TypeVar('Result')


def in_list_order(
    results: Sequence[Result], name: Callable[[Result], str], position: Callable[[Result], int | None]
) -> list[Result]:
    """Return results in the order of the list of videos, on which some measures depend.

    Results arrive in this order if videos are dealt out to the processes in turn, as test samplers do. Positions
    restore it however they are dealt out. Without positions, or if they are not those of one list (lists that were
    joined count anew), results stay as they arrived.

    Args:
        results: Results, one per video.
        name: Function that returns the name of a result's video.
        position: Function that returns its position in the list, or None if it is not known.
    """
    places = [position(result) for result in results]
    known = [place for place in places if place is not None]
    owners = {place: name(result) for place, result in zip(places, results, strict=True)}
    if len(known) < len(results) or any(owners[p] != name(r) for p, r in zip(places, results, strict=True)):
        return list(results)
    return [result for _, result in sorted(zip(known, results, strict=True), key=lambda pair: pair[0])]
