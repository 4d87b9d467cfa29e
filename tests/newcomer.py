"""The commands of README and pages: which of them the tests run, with what small settings, and why not the others."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md')), *sorted((ROOT / 'configs').rglob('README.md'))]


class Run(NamedTuple):
    """How commands that match a pattern are run.

    Attributes:
        pattern: Regular expression of the whole command.
        small: Words that make it small: ``key=value`` for ``--cfg-options``, everything else as it is.
        writes: Files that have to be there afterwards, as glob patterns; epochs are those of the small run.
    """

    pattern: str
    small: str = ''
    writes: tuple[str, ...] = ()


ONE_STEP = 'epochs=1 batch_size=2 num_workers=0'
NO_WARMUP = f'{ONE_STEP} warmup_epochs=0'
FEW_STEPS = f'{ONE_STEP} num_steps=4 groups_per_epoch=1 model.data_preprocessor.size=64'
PROPAGATE = 'model.geometry.short_side=64 model.propagator.radius=4 model.propagator.num_context=2'

RUN = [
    # the demo set and small models on it
    Run(
        r'python tools/make_demo_dataset.py --out demo_data',
        '--num-videos 8 --num-classes 4 --num-workers 0',
        ('demo_data/README.txt',),
    ),
    Run(r'mmsigma demo-data --out demo_data', '--num-videos 8 --num-classes 4 --num-workers 0'),
    Run(
        r'python tools/train.py configs/demo/sigma_tiny_demo_mlp.py --work-dir work_dirs/demo',
        ONE_STEP,
        ('work_dirs/demo/epoch_1.pth',),
    ),
    Run(
        r'(python tools/train.py configs|mmsigma train mmsigma::?)[/:]demo/sigma_tiny_demo_mlp\S*',
        f'{ONE_STEP} --overwrite',
        ('work_dirs/demo/sigma_tiny_demo_mlp/epoch_1.pth', 'work_dirs/demo/*/*/pictures/prototypes.png'),
    ),
    Run(r'mmsigma browse mmsigma::demo/sigma\S+ --out browse --number 4', '', ('browse/*.png',)),
    Run(r'mmsigma predict work_dirs/demo/\S+ - \S+ --out results', '', ('results/clip_0000/features.npy',)),
    Run(r'python tools/test.py configs/demo/knn_tiny_demo.py .*', 'num_workers=0', ('work_dirs/demo/knn*/*/*.json',)),
    Run(
        r'python tools/train.py configs/demo/finetune_tiny_demo.py .*', ONE_STEP, ('work_dirs/demo/fine*/epoch_1.pth',)
    ),
    Run(r'PYTHONPATH=\S+ python tools/train.py docs/examples/all_three.py .*', ONE_STEP),
    # a folder of the reader's videos
    Run(r'python tools/train.py configs/sigma/vitb_k400_mlp.py .*', NO_WARMUP, ('work_dirs/sigma/*/epoch_1.pth',)),
    Run(r'python tools/train.py configs/demo/sigma_small_videos.py .*', ONE_STEP, ('work_dirs/demo/*/epoch_1.pth',)),
    Run(
        r'python tools/train.py configs/gta/gta_penn_action.py .*',
        f'{FEW_STEPS} --overwrite',
        ('work_dirs/gta/*/epoch_1.pth',),
    ),
    Run(
        r'python tools/test.py configs/gta/gta_penn_action.py .*data_root.*',
        'num_workers=0 model.data_preprocessor.size=64',
    ),
    Run(r'mmsigma browse mmsigma::demo/gta\S+ --number 4'),
    Run(r'mmsigma browse mmsigma::vos/r18 .*'),
    Run(r'python tools/browse_dataset.py configs/sigma/vitb_k400_mlp.py .*', '--number 1', ('browse/*.png',)),
    Run(r'python tools/print_config.py .*'),
    Run(
        r'python tools/extract_features.py \S+ sigma.pth features/mine .*', '--num-workers 0', ('features/mine/*.json',)
    ),
    Run(r'python tools/visualize_prototypes.py .*', '', ('prototypes/*_prototypes.png',)),
    Run(r'python demo/vos_demo.py .*', PROPAGATE, ('results/clip/overlay.mp4',)),
    Run(r'python demo/align_demo.py .*', '', ('results/mine/report.html', 'results/mine/side_by_side.mp4')),
    Run(r'python tools/make_mask.py .*', '', ('mask.png',)),
    # data sets, of which the tests make small ones
    Run(r'python tools/train.py configs/finetune/vitb_k400.py .*', NO_WARMUP, ('work_dirs/finetune/*/epoch_1.pth',)),
    Run(r'python tools/train.py configs/finetune/vitb_ssv2.py --cfg-options load_from=official.pth', NO_WARMUP),
    Run(r'python tools/check_data.py .*', '--num-workers 0', ('check/videos.jsonl',)),
    Run(r'mmsigma prepare .*', '--num-workers 0 --short-side 32', ('data/kinetics400_320/train.txt',)),
    Run(r'python tools/test.py configs/vos/vitb.py sigma.pth', PROPAGATE, ('work_dirs/vos/vitb/**/report.html',)),
    Run(r'python tools/test.py configs/vos/resnet10t.py', PROPAGATE, ('work_dirs/vos/resnet10t/**/report.html',)),
    Run(r'python tools/test.py configs/unsupervised_segmentation/vitb_davis17.py sigma.pth', 'num_workers=0 seeds=[0]'),
    Run(r'python tools/sweep.py configs/vos/colour.py .*', PROPAGATE),
    Run(r'python tools/extract_features.py configs/knn/vitb_k400.py sigma.pth features/val', '--num-workers 0'),
    Run(r'python tools/test.py \S+ k400.pth --dump \S+', 'num_workers=0 batch_size=2', ('results/k400.pkl',)),
    Run(r'python tools/report.py classification .*', '', ('results/k400_classification/report.html',)),
    Run(r'python tools/report.py retrieval .*', '', ('features/val_retrieval/report.html',)),
    Run(r'python tools/report.py embedding .*', '', ('features/val_embedding/report.html',)),
    # conversion
    Run(r'(python tools/model_converters/convert_sigma.py|mmsigma convert) official.pth sigma.pth --trust'),
    Run(r'mmsigma convert sigma.pth official.pth --to official'),
    Run(r'mmsigma convert sigma.pth mmaction2.pth --to mmaction2', '--backbone-only', ('mmaction2.pth',)),
    Run(
        r'mmsigma convert k400.pth videomae --to hf .*',
        '--config configs/finetune/vitb_k400.py',
        ('videomae/config.json', 'videomae/README.md'),
    ),
    Run(r'python tools/model_converters/export.py .*', '', ('my_model/model.safetensors', 'my_model/classes.txt')),
    Run(r'python tools/test.py my_model/config.py my_model/model.safetensors', 'test_dataloader.num_workers=0'),
    Run(r'mmsigma export \S+ \S+ --to onnx .*', '', ('*.onnx',)),
    Run(r'mmsigma download'),
    # pages of configs
    Run(r'python tools/browse_dataset.py configs/sigma/vitb_k400_dino.py .*', '--number 1', ('browse/*.png',)),
    Run(r'python tools/model_converters/convert_sigma.py sigma.pth official.pth --to-official'),
    Run(r'python tools/severe_report.py --help'),
]

NOT_RUN = {
    r'make .*': 'sets up an environment; what the demos run is run here or in tests/tools/test_demo.py',
    r'python3 -m venv .*|\S*pip (un)?install .*|apt-get .*': 'installs; tests/test_packaging.py tries the wheel',
    r'\S*python -m (pytest|tests\.) ?.*': 'runs the tests themselves, or measurements that take an hour',
    r'.*bash tools/dist_\w+.sh .* 8\b.*|torchrun --nproc-per-node 8 .*': 'needs eight GPUs; '
    'tests/end_to_end/test_dist_train.py and tests/tools/test_launchers.py start two processes',
    r'GPUS=.* bash tools/slurm_.*|sbatch .*': 'needs Slurm; tests/tools/test_launchers.py has a stand-in for it',
    r'(mmsigma predict|python tools/train.py) CONFIG .*': 'a pattern; commands of its kind are run',
    r'mmsigma app.*': 'serves until it is stopped; tests/app goes through it in a browser',
    r'mmsigma list-shards downloaded/.*': 'needs shards of others; tests/apis/test_video_shards.py makes some',
    r'mmsigma download \S.*': 'downloads weights; tests/tools and tests/apis have a stand-in for the hub',
    r'python tools/\w+.py \S+ .*=/path/to/.*': "needs DINO's weights, which have to be downloaded",
    r'python tools/model_converters/convert_gta.py .*': 'needs weights of Keras or of the release, which have to be '
    'downloaded; tests/apis/test_gta_conversion.py makes such files',
    r'python tools/dataset_converters/.*': 'needs a data set that has to be obtained; '
    'tests/tools/test_dataset_converters.py and its neighbours make small ones',
    r'python tools/t\w+.py \S+ (.*data_root=data/(hmdb51|pouring|mini_sthv2).*|crw.pth)': 'needs a data set '
    'that has to be obtained',
    r'python tools/\w+.py configs/mask_vos/.* work_dirs/mask_vos/.*': 'needs a trained Mask-VOS; '
    'tests/end_to_end/test_mask_vos.py and tests/apis/test_sweeping.py have a small one',
    r'python tools/t\w+.py configs/gta/(\w+_finegym.*|d3tw_\w+.*|\w+action.py( \S+\.pth)?)': 'needs Penn Action or '
    'FineGym; tests/end_to_end/test_gta.py makes small ones',
    r'(for|done|run=).*|.*(\$run|_\*).*': 'a loop over the actions of Penn Action',
    r'python tools/(extract_features.py \S+ sigma.pth features/\w+ (--split bank )?--amp|probe.py .*)': 'as without '
    '--amp, which is run; tests/tools/test_probe.py has features of two classes',
    r'(mmsigma demo-data --out generated|mmsigma cache generated|mmsigma export work_dirs/evidence|python '
    r'benchmarks/evidence_mask_vos.py).*': 'trains for half an hour; tests/test_vos_configs.py tests what came of it',
    r'python tools/test.py configs/vos/dino_vits8.py': "needs DINO's weights, which have to be downloaded",
    r'mmsigma browse \S+ --rounds .*': 'needs a run of Mask-VOS; tests/apis/test_browsing.py makes its masks',
    r'(tensorboard|mmsigma train \S+ --cfg-options tracker=).*': 'needs TensorBoard, an extra; '
    'tests/end_to_end/test_trackers.py has a stand-in for it',
}
"""Commands that are not run, by regular expressions, and why."""


def commands() -> dict[str, list[str]]:
    """Return the commands in blocks of bash, without comments, and the pages that have them, in order."""
    found: dict[str, list[str]] = {}
    for page in PAGES:
        for block in re.findall(r'```bash\n(.*?)```', page.read_text(), re.DOTALL):
            for line in block.replace('\\\n', ' ').splitlines():
                words = re.sub(r'(^|\s)#.*', '', line).split()
                if words:
                    found.setdefault(' '.join(words), []).append(str(page.relative_to(ROOT)))
    return found


def entries_of(command: str) -> list[Run | str]:
    """Return the entries of both tables that a command belongs to, which should be one."""
    words = command.replace('.venv/bin/python tools', 'python tools')
    runs: list[Run | str] = [run for run in RUN if re.fullmatch(run.pattern, words)]
    return runs + [pattern for pattern in NOT_RUN if re.fullmatch(pattern, words)]


def small_words(command: str, small: str) -> tuple[dict[str, str], list[str]]:
    """Return the environment and the words of a command with small settings, of which there is one epoch."""
    command = re.sub(r'mmsigma::([\w/]+)', r'configs/\1.py', command)
    words = shlex.split(re.sub(r'epoch_\d+', 'epoch_1', command))
    names = [word.partition('=') for word in words if re.match(r'[A-Z_]+=', word)]
    words = words[len(names) :]
    flags = [word for word in small.split() if '=' not in word]
    options = [word for word in small.split() if '=' in word]
    place = words.index('--cfg-options') if '--cfg-options' in words else len(words)
    given = words[place:] or ['--cfg-options'] * bool(options)
    return {name: value for name, _, value in names}, [*words[:place], *flags, *given, *options]
