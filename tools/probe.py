"""Train and evaluate probes on stored features; a sweep of settings needs no further pass over the videos.

Examples::

    python tools/probe.py knn features/k400_train features/k400_val
    python tools/probe.py linear features/k400_train features/k400_val --lr 1e-2 3e-3 1e-3 --norm batch
    python tools/probe.py attentive tokens/k400_train tokens/k400_val --depth 4 --heads 16

The results of all settings are reported. Picking the best uses the evaluated videos: state this where you report it.
"""

import argparse
import json
from pathlib import Path

from mmsigma.utils.options import CommandParser
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'probe',
        choices=['knn', 'linear', 'attentive'],
        help='nearest neighbours, a linear layer, or attention blocks on tokens',
    )
    parser.add_argument('train', help='folder of features to learn from')
    parser.add_argument('val', help='folder of features to evaluate on')
    parser.add_argument('--k', nargs='+', type=int, default=[10, 20, 100, 200], help='numbers of neighbours')
    parser.add_argument(
        '--temperature', type=float, default=0.07, help='of the votes of neighbours (default: %(default)s)'
    )
    parser.add_argument('--lr', nargs='+', type=float, default=[5e-3, 3e-3, 1e-3, 3e-4, 1e-4], help='learning rates')
    parser.add_argument(
        '--weight-decay', nargs='+', type=float, default=None, help='default: 0.05; four values for the attentive probe'
    )
    parser.add_argument('--epochs', type=int, default=None, help='default: 30; 20 for the attentive probe')
    parser.add_argument('--batch-size', type=int, default=128, help='videos per step (default: %(default)s)')
    parser.add_argument(
        '--norm', choices=['layer', 'batch', 'none'], default='layer', help='normalisation of the linear probe'
    )
    parser.add_argument('--depth', type=int, default=4, help='number of blocks of the attentive probe')
    parser.add_argument('--heads', type=int, default=16, help='number of attention heads of the attentive probe')
    parser.add_argument(
        '--seed', type=int, default=0, help='of initial weights and the order of videos (default: %(default)s)'
    )
    parser.add_argument('--out', type=Path, help='JSON file for the results')
    return parser.parse_args()


def run(args: argparse.Namespace) -> list[dict[str, float]]:
    """Train and evaluate one kind of probe.

    Returns:
        Results, one dict per setting.

    Raises:
        FileNotFoundError: If a folder contains no features.
        RuntimeError: If features are incomplete.
        ValueError: If videos have no label, features do not suit the probe, or the two folders are not comparable.
    """
    import torch
    from rich.progress import Progress

    from mmsigma.evaluation.classification.knn import knn_accuracy
    from mmsigma.evaluation.classification.probes import LinearProbe, train_probes
    from mmsigma.io.feature_store import open_pair
    from mmsigma.models import AttentiveHead

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    parts = []
    for folder, stored in zip((args.train, args.val), open_pair(args.train, args.val), strict=True):
        if len(stored.labels) and int(stored.labels.min()) < 0:
            raise ValueError(f'{int((stored.labels < 0).sum())} videos in {folder} have no label')
        if (stored.features.ndim == 3) != (args.probe == 'attentive'):
            raise ValueError(
                f'{folder} contains features {tuple(stored.features.shape)}: attentive probes require tokens '
                '(extract with --pooling tokens), the others their mean'
            )
        # tokens, of which a store may have more than fit in memory, stay on the disk
        features = stored.features if args.probe == 'attentive' else stored.features.load().to(device)
        parts.append((features, stored.labels.to(device)))
    train, val = parts
    if train[0].shape[1:] != val[0].shape[1:]:
        raise ValueError(
            f'features in {args.train} are {tuple(train[0].shape)} and in {args.val} {tuple(val[0].shape)}: extract '
            'both with the same model and pooling'
        )
    if args.probe == 'knn':
        return [knn_accuracy(*train, *val, args.k, temperature=args.temperature)]  # type: ignore[arg-type]  # tensors
    width = train[0].shape[-1]
    num_classes = int(max(train[1].max(), val[1].max())) + 1
    attentive = args.probe == 'attentive'

    def build() -> torch.nn.Module:
        if attentive:
            return AttentiveHead(width, num_classes, num_heads=args.heads, depth=args.depth)
        return LinearProbe(width, num_classes, args.norm)

    with Progress() as bar:
        task = bar.add_task(args.probe, total=None)
        results = train_probes(
            build,
            train,
            val,
            lrs=args.lr,
            weight_decays=args.weight_decay or ((0.01, 0.1, 0.4, 0.8) if attentive else (0.05,)),
            epochs=(20 if attentive else 30) if args.epochs is None else args.epochs,
            batch_size=args.batch_size,
            num_classes=num_classes,
            seed=args.seed,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    return [result._asdict() for result in results]


def main() -> None:
    args = parse_args()
    set_torch_environment()
    try:
        results = run(args)
    except (OSError, RuntimeError, ValueError, FloatingPointError) as error:
        raise SystemExit(str(error)) from None
    for result in results:
        print('  '.join(f'{key} {value:.4g}' for key, value in result.items()))
    if len(results) > 1:
        known = [result for result in results if result['top1'] == result['top1']]
        if len(known) < len(results):
            print(f'{len(results) - len(known)} of {len(results)} have diverged and have no scores')
        best = max(known, key=lambda result: result['top1'])
        setting = f'lr {best["lr"]:g}, weight decay {best["weight_decay"]:g}'
        print(f'best of {len(results)}: top1 {best["top1"]:.2f} at {setting}')
    if args.out:
        from mmsigma.io.atomic import write_text

        write_text(args.out, json.dumps(results, indent=1))


if __name__ == '__main__':
    main()
