"""Names that are close to one that does not exist, found without comparing it with every name."""

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

# So many candidates, those that share most groups of three letters, are compared in full.
CANDIDATES = 40


class Suggestions:
    """Some names, indexed by their groups of three letters."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_group: dict[str, list[str]] = {}
        for name in names:
            for group in _groups(name):
                self._by_group.setdefault(group, []).append(name)

    def close_to(self, name: str) -> list[str]:
        """Up to three names, the closest first."""
        shared: Counter[str] = Counter()
        for group in _groups(name):
            shared.update(self._by_group.get(group, ()))
        candidates = [found for found, _ in shared.most_common(CANDIDATES)]
        return get_close_matches(name.lower(), candidates, n=3, cutoff=0.5)


def _groups(name: str) -> set[str]:
    padded = f"  {name.lower()} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}
