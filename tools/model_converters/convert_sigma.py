"""Convert checkpoints of SIGMA and VideoMAE between our parameter names and those of other implementations.

Official pre-training files (pixel, MLP and DINO targets) and fine-tuning files, and VideoMAE of mmaction2 and of
Hugging Face (pre-training, classification, backbone alone), are recognised by their parameter names. The conversion
renames, splits and joins parameters without changing any number, so a round trip is exact. A parameter that is missing,
or has no counterpart on the other side, is an error.

Examples::

    python tools/model_converters/convert_sigma.py official.pth sigma.pth --trust
    python tools/model_converters/convert_sigma.py sigma.pth official.pth --to official
    python tools/model_converters/convert_sigma.py mmaction2.pth videomae --to hf
    python tools/model_converters/convert_sigma.py sigma.pth backbone.safetensors --to hf --backbone-only

A destination that ends in ``.safetensors`` contains parameters only. With ``--to hf``, a destination without an ending
is a folder, which ``from_pretrained`` of transformers loads; ``--push-to-hub`` also uploads it. Official files also
contain their command line as a Python object, which only ``--trust`` unpickles: use it for files whose origin you
trust.

``--norm-to-head`` turns a pre-training file into a starting point for fine-tuning: the backbone, with its final norm as
the norm of the classification head. The official releases drop that norm instead, and initialise the head's with ones
and zeros.
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', type=Path, help='checkpoint to read')
    parser.add_argument(
        'dst',
        type=Path,
        help='file to write: .safetensors, or anything else for torch.save; with --to hf, a name without ending is a '
        'folder',
    )
    parser.add_argument(
        '--to',
        choices=('ours', 'official', 'mmaction2', 'hf'),
        default='ours',
        help='parameter names of DST (default: ours)',
    )
    parser.add_argument('--to-official', dest='to', action='store_const', const='official', help='as --to official')
    parser.add_argument(
        '--trust', action='store_true', help='allow SRC to create any Python object, which may execute code'
    )
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument('--backbone-only', action='store_true', help='leave out decoder, target and head')
    parts.add_argument(
        '--norm-to-head', action='store_true', help='backbone, with its final norm as that of a new head'
    )
    parser.add_argument(
        '--num-tokens',
        type=int,
        default=1568,
        help='tokens per clip, the length of the position table of mmaction2 (1568)',
    )
    folder = parser.add_argument_group('a folder for transformers (--to hf, DST without ending)')
    folder.add_argument('--config', help='config of the model (default: that in SRC, or the sizes of the releases)')
    folder.add_argument('--classes', type=Path, help='file with a class name per line')
    folder.add_argument('--data', help='what the model was trained on, for its card')
    folder.add_argument('--licence', help='licence of the weights, for the card: cc-by-nc-4.0, for example')
    folder.add_argument('--push-to-hub', metavar='REPO', help='upload it to this repository, private if it is new')
    return parser.parse_args()


def run(args: argparse.Namespace) -> str:
    """Convert as the arguments say, and describe what was converted."""
    from mmsigma.apis.sigma_conversion import convert_sigma, convert_to_folder

    part = 'backbone' if args.backbone_only else 'norm_to_head' if args.norm_to_head else 'all'
    if args.to != 'hf' or args.dst.suffix:
        for name in ('config', 'classes', 'data', 'licence', 'push_to_hub'):
            if getattr(args, name):
                raise ValueError(f'--{name.replace("_", "-")} is for a folder: --to hf, and a DST without an ending')
        return convert_sigma(args.src, args.dst, to=args.to, trust=args.trust, part=part, num_tokens=args.num_tokens)
    if args.push_to_hub:
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

        validate_repo_id(args.push_to_hub)
    about = dict(config=args.config, classes=args.classes, data=args.data, licence=args.licence)
    return convert_to_folder(args.src, args.dst, trust=args.trust, part=part, **about)


def main() -> None:
    args = parse_args()
    from mmsigma.apis.huggingface_export import push_folder

    try:
        print(run(args))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise SystemExit(f'nothing was written: {error.args[0] if isinstance(error, KeyError) else error}') from error
    if args.push_to_hub:
        try:
            print(f'uploaded to {push_folder(args.dst, args.push_to_hub)}')
        except RuntimeError as error:
            raise SystemExit(str(error)) from error


if __name__ == '__main__':
    main()
