"""Parsing of command lines, and options that set values of configs."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn


class CommandParser(argparse.ArgumentParser):
    """Parser of a command line whose errors are one line, without the usage, which takes many."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 and a message."""
        self.exit(2, f'{self.prog}: {message}; see {self.prog} --help\n')


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
