"""Command-line options that set values of configs."""

import argparse
from collections.abc import Sequence
from typing import Any


class OptionAction(argparse.Action):
    """mmengine's action for ``--cfg-options key=value ...``, with an error in one line for words of another form.

    mmengine, which takes a third of a second, is imported when there are options, not to describe them.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        from mmengine.config import DictAction

        for word in values or ():
            if not str(word).partition('=')[0] or '=' not in str(word):
                parser.error(f'{option_string} expects key=value, got {word!r}')
        DictAction(self.option_strings, self.dest, nargs='+')(parser, namespace, values, option_string)
