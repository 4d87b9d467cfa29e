"""Write a page on what a classifier gets right, which videos are alike, where they lie, or on pseudo masks of a run.

Examples::

    python tools/test.py configs/finetune/vitb_k400.py k400.pth --dump results/k400.pkl
    python tools/report.py classification results/k400.pkl --classes data/kinetics400/classes.txt
    python tools/report.py retrieval features/k400_val --bank features/k400_train
    python tools/report.py embedding features/k400_val
    python tools/report.py clustering work_dirs/mask_vos/r18_ytvos

Features are those of tools/extract_features.py. The page is report.html in the folder OUT, with the files that it
shows.
"""

import argparse
from pathlib import Path
from typing import Any

from mmsigma.utils.options import CommandParser
from mmsigma.utils.torch_environment import set_torch_environment

KINDS = ('classification', 'retrieval', 'embedding', 'clustering')


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('kind', choices=KINDS, help='what to write about')
    parser.add_argument(
        'source', type=Path, help='predictions (.pkl) to classify, a run of Mask-VOS to cluster, or features'
    )
    parser.add_argument('--out', type=Path, help='folder to write to (default: SOURCE without suffix, _KIND)')
    parser.add_argument('--classes', type=Path, help='names of the classes, one per line (default: their numbers)')
    parser.add_argument('--bank', type=Path, help='retrieval: features to search (default: those of SOURCE)')
    parser.add_argument(
        '--number', type=int, default=12, help='mistakes, queries or videos to show (default: %(default)s)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the map of features (default: %(default)s)')
    parser.add_argument('--verbose', action='store_true', help='show the traceback of errors')
    args = parser.parse_args()
    if args.bank and args.kind != 'retrieval':
        parser.error('--bank is for retrieval')
    if args.number < 1:
        parser.error(f'--number must be positive, got {args.number}')
    args.out = args.out or args.source.with_name(f'{args.source.stem}_{args.kind}')
    return args


def classify(args: argparse.Namespace, names: list[str]) -> Path:
    """Write the page of a classifier."""
    import torch

    from mmsigma.apis.reports import write_classification_report
    from mmsigma.evaluation.results import classes_of_test, facts_of_test
    from mmsigma.io.predictions import load_predictions

    samples = load_predictions(args.source)
    if lacking := [name for name in ('pred_score', 'gt_label') if any(name not in sample for sample in samples)]:
        raise ValueError(
            f'{args.source}: predictions lack {" and ".join(lacking)}: dump the test of a classifier on labelled videos'
        )
    if any(sample['gt_label'].numel() != 1 for sample in samples):
        raise ValueError(f'{args.source}: videos have several labels, of which there is no confusion matrix')
    videos = [str(sample['filename']) for sample in samples if 'filename' in sample]
    record = args.source.with_suffix('.json')
    return write_classification_report(
        args.out,
        torch.stack([sample['pred_score'].float() for sample in samples]),
        torch.tensor([int(sample['gt_label']) for sample in samples]),
        names=names or classes_of_test(record),
        videos=videos if len(videos) == len(samples) else (),
        facts={'predictions': args.source, **facts_of_test(record)},
        num_examples=args.number,
    )


def compare(args: argparse.Namespace, names: list[str]) -> Path:
    """Write the page of features: the nearest of some videos, or a map."""
    from mmsigma.apis.reports import write_embedding_report, write_retrieval_report
    from mmsigma.io.feature_store import FeatureStore, load_pair

    told = FeatureStore.open(args.source).description
    facts: dict[str, Any] = {'features': args.source, **{key: told[key] for key in ('pooling', 'dtype') if key in told}}
    made_with = told.get('made_with', {})
    facts |= {key: made_with[key] for key in ('config', 'checkpoint', 'videos') if made_with.get(key)}
    facts |= {f'digest of the {key}': told[key] for key in ('model', 'checkpoint', 'videos') if key in told}
    names = names or made_with.get('classes', [])
    if args.kind == 'embedding':
        features = FeatureStore.open(args.source).load()
        return write_embedding_report(args.out, features, names=names, facts=facts, seed=args.seed)
    if args.bank:
        bank, queries = load_pair(args.bank, args.source)
        facts['features searched'] = args.bank
    else:
        bank, queries = None, FeatureStore.open(args.source).load()
    return write_retrieval_report(args.out, queries, bank, names=names, facts=facts, num_queries=args.number)


def cluster(args: argparse.Namespace) -> Path:
    """Write the page of the pseudo masks of a run."""
    from mmsigma.apis.clustering_reports import clustered_videos, write_rounds_report
    from mmsigma.datasets import PseudoMaskRounds

    videos, decoder, config = clustered_videos(args.source)
    facts = dict(config=config)
    rounds = PseudoMaskRounds(args.source / 'rounds')
    return write_rounds_report(args.out, rounds, videos, decoder, facts=facts, num_videos=args.number)


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from rich.console import Console

    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.io.text import read_lines

    with errors_in_one_line(str(args.source), verbose=args.verbose), Console().status(f'{args.kind} of {args.source}'):
        names = read_lines(args.classes) if args.classes else []
        if args.kind == 'clustering':
            path = cluster(args)
        else:
            path = classify(args, names) if args.kind == 'classification' else compare(args, names)
    print(path)


if __name__ == '__main__':
    main()
