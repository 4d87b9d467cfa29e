"""Convert official SIGMA and VideoMAE checkpoints to ours, or ours to theirs.

Pre-training files (pixel, MLP and DINO targets) and fine-tuning files are told apart by their parameter names. The
conversion renames and changes no number, so that there and back again gives the same bits. A missing parameter is an
error, and so is one that has no counterpart on the other side.

Examples::

    python tools/model_converters/convert_sigma.py official.pth sigma.pth --trust
    python tools/model_converters/convert_sigma.py sigma.pth official.pth --to-official

A destination that ends in ``.safetensors`` gets parameters only. Official files also hold their command line as a
Python object, which only ``--trust`` unpickles: give it for files whose origin you trust.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from mmsigma import __version__
from mmsigma.utils.checkpoint import load_weights, write_atomically
from mmsigma.utils.key_mapping import check_complete, from_official, to_official


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', type=Path, help='checkpoint to read')
    parser.add_argument('dst', type=Path, help='file to write: .safetensors, or anything else for torch.save')
    parser.add_argument('--to-official', action='store_true', help='from our names to the official ones')
    parser.add_argument('--trust', action='store_true', help='let SRC build any Python object, which may execute code')
    return parser.parse_args()


def convert(src: Path, dst: Path, *, reverse: bool = False, trust: bool = False) -> str:
    """Convert one file.

    Args:
        src: Checkpoint to read.
        dst: File to write; untouched if anything fails.
        reverse: From our names to the official ones.
        trust: Unpickle whatever ``src`` holds.

    Returns:
        What was converted, for people to read.

    Raises:
        FileNotFoundError: If there is no ``src``.
        RuntimeError: If ``src`` is damaged, unsafe, or no checkpoint.
        KeyError: If a parameter is missing or has no counterpart.
        OSError: If ``dst`` cannot be written.
    """
    given = load_weights(src, keys=('state_dict',) if reverse else ('model', 'module'), trust=trust)
    state = (to_official if reverse else from_official)(given)
    ours = given if reverse else state
    check_complete(ours)
    description = describe(ours)
    if dst.suffix == '.safetensors':
        content = state
    elif reverse:
        content = {'model': state}
    else:
        content = {'state_dict': state, 'meta': dict(source=src.name, kind=description, mmsigma_version=__version__)}
    write_atomically(dst, _writer(content, dst.suffix))
    return description


def describe(state: dict[str, Tensor]) -> str:
    """Say what our parameters ``state`` are: stage, target, size, prototypes or classes."""
    if any(name.startswith('neck.') for name in state):
        kind = 'VideoMAE pre-training (pixel target)'
        if any(name.startswith('target.mlp.') for name in state):
            kind = 'SIGMA pre-training (MLP target)'
        elif 'head.prototypes.0' in state:
            kind = 'SIGMA pre-training (frozen target)'
    else:
        kind = 'fine-tuning'
    parts = [kind, f'{sum(value.numel() for value in state.values()):,} parameters in {len(state)} tensors']
    for name, what in (('head.prototypes.0', 'prototypes'), ('head.fc.weight', 'classes')):
        if name in state:
            parts.append(f'{state[name].shape[0]} {what} of width {state[name].shape[1]}')
    return ', '.join(parts)


def _writer(content: dict[str, Any], suffix: str) -> Callable[[str], None]:
    def write(name: str) -> None:
        if suffix == '.safetensors':
            save_file({key: value.contiguous() for key, value in content.items()}, name)
        else:
            torch.save(content, name)

    return write


def main() -> None:
    args = parse_args()
    try:
        description = convert(args.src, args.dst, reverse=args.to_official, trust=args.trust)
    except (OSError, RuntimeError, KeyError) as error:
        raise SystemExit(f'nothing was written: {error.args[0] if isinstance(error, KeyError) else error}') from error
    print(f'{description}\n{args.src} -> {args.dst} ({"official" if args.to_official else "our"} names)')


if __name__ == '__main__':
    main()
