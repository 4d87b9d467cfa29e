"""Words of --cfg-options."""

import argparse

import pytest

from mmsigma.utils.options import CommandParser, OptionAction


def parse(*words: str) -> dict:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction)
    return parser.parse_args(['--cfg-options', *words]).cfg_options


def test_values_are_those_of_mmengine() -> None:
    assert parse('a=1', 'b.c=[x,y]', 'd=x=y', 'e=') == {'a': 1, 'b.c': ['x', 'y'], 'd': 'x=y', 'e': ''}


@pytest.mark.parametrize('word', ['data_root', '=3', ''])
def test_other_words_are_refused(word: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match='2'):
        parse('a=1', word)
    assert f'--cfg-options expects key=value, got {word!r}' in capsys.readouterr().err


def test_errors_are_one_line(capsys: pytest.CaptureFixture) -> None:
    parser = CommandParser('mmsigma train')
    parser.add_argument('--seed', type=int)
    with pytest.raises(SystemExit, match='2'):
        parser.parse_args(['--seed', 'x'])
    expected = "mmsigma train: argument --seed: invalid int value: 'x'; see mmsigma train --help\n"
    assert capsys.readouterr() == ('', expected)
