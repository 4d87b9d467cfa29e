"""Tolerances of the golden vectors, as their manifests state them: numbers by name, or a line of text."""

import re
from typing import Any, NamedTuple

import torch

_NUMBER = r'(\d[\d.]*(?:e-?\d+)?)'


class Tolerance(NamedTuple):
    """How far values may be off: by a share of themselves, by a number, and by a share of the largest of all."""

    relative: float = 0.0
    absolute: float = 0.0
    of_largest: float = 0.0

    @classmethod
    def read(cls, stated: Any, part: str | None = None) -> 'Tolerance':
        """Read what a manifest states, of everything or of the ``part`` that has a tolerance of its own.

        Raises:
            ValueError: If there is no such part, or it states no number.
        """
        if part is not None:
            stated = stated.get(part) if isinstance(stated, dict) else _clause(stated, part)
        if stated == 'exact':
            return cls()
        if isinstance(stated, dict):
            found = cls(*(float(stated.get(name, 0)) for name in ('rtol', 'atol', 'atol_rel_to_absmax')))
        elif isinstance(stated, float):
            found = cls(absolute=stated)
        else:
            text = stated or ''
            patterns = (
                rf'rtol {_NUMBER}(?![\d.e*-])',
                rf'(?:atol|abs) {_NUMBER}',
                rf'{_NUMBER} ?\* ?(?:\|ref\||max\|ref)',
            )
            found = cls(*(float(match[1]) if (match := re.search(pattern, text)) else 0.0 for pattern in patterns))
        if not any(found):
            raise ValueError(f'no tolerance of {part or "all arrays"}: {stated!r}')
        return found

    def assert_close(self, found: Any, expected: Any, **settings: Any) -> None:
        """Compare in double precision; settings are those of ``torch.testing.assert_close``."""
        ours, theirs = (torch.as_tensor(values).detach().double() for values in (found, expected))
        atol = self.absolute + self.of_largest * float(theirs.abs().max())
        torch.testing.assert_close(ours, theirs, rtol=self.relative, atol=atol, **settings)


def _clause(text: str, part: str) -> str | None:
    """The part of a line like ``loss rtol 1e-5; each grad array: ...`` that begins with a word, or has it."""
    return next((clause for clause in text.split(';') if re.search(rf'\b{part}', clause)), None)
