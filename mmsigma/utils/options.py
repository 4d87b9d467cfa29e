"""Command-line options that set values of configs."""

import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


class OptionAction(DictAction):
    """mmengine's action for ``--cfg-options key=value ...``, with an error in one line for words of another form."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        for word in values or ():
            if not str(word).partition('=')[0] or '=' not in str(word):
                parser.error(f'{option_string} expects key=value, got {word!r}')
        super().__call__(parser, namespace, values, option_string)
