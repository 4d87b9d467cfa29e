"""Extract the features of videos once, and store them for any number of probes.

Examples::

    python tools/extract_features.py configs/knn/vitb_k400.py sigma.pth features/k400_train --split bank
    python tools/extract_features.py configs/knn/vitb_k400.py sigma.pth features/k400_val
    python tools/extract_features.py configs/knn/vitb_k400.py sigma.pth features/mine --videos my_videos/
    python tools/extract_features.py work_dirs/sigma/vitb_k400_mlp/epoch_800.pth - features/mine --videos my_videos/
    torchrun --nproc-per-node 8 tools/extract_features.py ... --launcher pytorch

An interrupted run resumes where it stopped, with any number of processes. With --append, those videos of another list
are added to a store that it does not have yet; tools/merge_features.py joins stores. Videos that cannot be read are
listed in the store. tools/probe.py reads the stored features.
"""

import argparse
import os

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config',
        help='config with a test_dataloader, whose pipeline determines the views, or of pre-training (one clip each); '
        'or checkpoint of a run, which contains one',
    )
    parser.add_argument(
        'checkpoint', help='pre-trained or fine-tuned weights, including official files; - for those of the config'
    )
    parser.add_argument('out', help='folder to fill')
    parser.add_argument('--videos', help='list or folder of videos instead of those of the config')
    parser.add_argument(
        '--split', default='test', choices=['test', 'val', 'bank'], help='dataloader to take the videos from'
    )
    parser.add_argument('--pooling', default='mean', choices=['mean', 'tokens'], help='tokens is for attentive probes')
    parser.add_argument(
        '--format',
        default='safetensors',
        choices=['safetensors', 'npz'],
        help='of the files of features (default: %(default)s)',
    )
    parser.add_argument('--half', action='store_true', help='store float16')
    parser.add_argument('--amp', action='store_true', help='compute in bfloat16, unless the processor is slow at it')
    parser.add_argument('--batch-size', type=int, default=8, help='videos per step (default: %(default)s)')
    parser.add_argument(
        '--num-workers',
        type=int,
        default=min(4, len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 4),
        help='processes that decode; 0 for none (default: four, or as many as there are cores)',
    )
    parser.add_argument('--shard-size', type=int, default=256, help='videos per file')
    parser.add_argument('--append', action='store_true', help='add the videos that a store in the folder lacks, if any')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what has started several processes, if any (default: %(default)s)',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--verbose', action='store_true', help='show the traceback of errors')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow the checkpoint to execute code')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def run(args: argparse.Namespace) -> None:
    """Extract the shards that the store lacks."""
    import torch
    from mmengine.dist import barrier, is_main_process
    from rich.progress import Progress

    from mmsigma.apis.features import dataset_of, encoder_config, extract_features
    from mmsigma.apis.launch import allows_bfloat16
    from mmsigma.apis.models import build_frozen_model, open_config
    from mmsigma.checkpoints.files import require_checkpoint
    from mmsigma.io.feature_growth import grow, is_store
    from mmsigma.io.feature_store import FeatureStore, digest, file_digest, write_description
    from mmsigma.registry import DATASETS
    from mmsigma.utils.preflight import check_config

    given = None if args.checkpoint == '-' else args.checkpoint
    if given:
        require_checkpoint(given)
    cfg, weights = open_config(args.config, given, args.cfg_options, trust=args.trust_checkpoint)
    if weights is None:
        raise ValueError(f'{args.config} contains no weights: give a checkpoint instead of -')
    check_config(cfg)
    cfg = encoder_config(cfg)
    dataset = dataset_of(cfg, args.videos, args.split)
    videos = DATASETS.build({**dataset, 'test_mode': True})
    infos = [videos.get_data_info(number) for number in range(len(videos))]
    description = dict(
        num_videos=len(videos),
        shard_size=args.shard_size,
        format=args.format,
        pooling=args.pooling,
        dtype='float16' if args.half else 'float32',
        model=digest(cfg.model),
        checkpoint=file_digest(weights),
        videos=digest([dataset, infos]),
        pipeline=digest(dataset.get('pipeline')),
        made_with=dict(
            config=args.config,
            checkpoint=str(weights),
            videos=args.videos or ' '.join(str(dataset.get(key) or '') for key in ('data_root', 'ann_file')).strip(),
            classes=list(videos.metainfo.get('classes') or ()),
        ),
    )
    amp = args.amp and allows_bfloat16()
    if amp:
        description['precision'] = 'bfloat16'
    places = None
    if args.append and is_store(args.out):
        description, places = grow(args.out, description, infos)
    barrier()  # before the description is written, so that all processes see the same videos
    if is_main_process():
        write_description(args.out, description) if places else FeatureStore(args.out, description)
    barrier()
    store = FeatureStore(args.out, description)
    device = f'cuda:{os.environ["LOCAL_RANK"]}' if torch.cuda.is_available() else 'cpu'
    model = build_frozen_model(cfg, weights, device, trust=args.trust_checkpoint)
    with Progress(disable=not is_main_process()) as bar:
        task = bar.add_task('features', total=None)
        numbers = extract_features(
            model,
            dataset,
            store,
            places=places,
            pooling=args.pooling,
            batch_size=args.batch_size,
            num_workers=args.num_workers,
            amp=amp,
            dtype=torch.float16 if args.half else torch.float32,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if is_main_process():
        features = store.load()
        print(
            f'{tuple(features.features.shape)} features in {args.out}, {len(features.failed)} videos could not be '
            f'read; {numbers["seconds"]:.0f} s, data wait {numbers["data_wait"]:.0%}'
        )
        for path, reason in features.failed[:10]:
            print(f'  {path}: {reason}')


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmsigma.apis.launch import enter_process_group, errors_in_one_line, leave_process_group

    enter_process_group(args.launcher)
    with errors_in_one_line(args.config, verbose=args.verbose):
        run(args)
    leave_process_group()


if __name__ == '__main__':
    main()
