"""Configs of Mask-VOS hold the paper's numbers, build, and differ in what they say."""

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from PIL import Image

from mmsigma.apis.launch import build_runner
from mmsigma.datasets import LoadPseudoMasks
from mmsigma.datasets.transforms import SecondView
from mmsigma.engine.reclustering import ReclusterSettings
from mmsigma.models import AnchorCorrespondence, MaskVOS, ShortLongCorrespondence
from mmsigma.registry import MODELS, PARAM_SCHEDULERS, TRANSFORMS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config
from tests.metafiles import load_model, plain_configs, read_models
from tests.vos_data import make_davis, make_vip, make_youtube_vos

FOLDER = Path(__file__).resolve().parents[1] / 'configs' / 'mask_vos'
CONFIGS = sorted(FOLDER.glob('*.py'))
EVIDENCE = sorted((FOLDER.parent / 'evidence').glob('mask_vos_*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config(path: Path) -> None:
    cfg = load_config(path)
    check_config(cfg)
    assert path.read_text().startswith('# ')
    assert len(path.read_text().splitlines()) <= 35 or path.stem in ('crw_r18_k400', 'dino_r18_ytvos')


@pytest.mark.parametrize('path', EVIDENCE, ids=lambda path: path.stem)
def test_evidence(path: Path) -> None:
    cfg = load_config(path)
    check_config(cfg)
    if 'lite0' in path.stem:
        cfg.model.backbone.encoder.weights = 'random'
    assert isinstance(MODELS.build(cfg.model), MaskVOS)
    comment = ' '.join(path.read_text().replace('\n# ', ' ').split())
    stated = re.search(r'(\d+) clips per step, learning rate ([\d.e-]+\d)', comment)
    assert (int(stated[1]), float(stated[2])) == (cfg.train_dataloader.batch_size, cfg.optim_wrapper.optimizer.lr)
    assert cfg.auto_scale_lr.base_batch_size == int(stated[1])
    # as in the paper and its release
    hook, pipeline = cfg.custom_hooks[-1], {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert ReclusterSettings(**hook.settings) == ReclusterSettings()
    assert (cfg.model.segmentation.num_rounds, 'feedback' in cfg.model.segmentation) == (1, False)
    assert not pipeline['LoadPseudoMasks'].soft and pipeline['ReadClip'].sampling.num_following == 0


@pytest.mark.parametrize('path', EVIDENCE, ids=lambda path: path.stem)
def test_evidence_with_the_options(path: Path) -> None:
    options = dict(keep_aspect=True, cluster_size=480, soft_masks=True, tested_memory=True, max_objects=1, step=2)
    cfg = load_config(path, options)
    check_config(cfg)
    segmentation, settings = cfg.model.segmentation, ReclusterSettings(**cfg.custom_hooks[-1].settings)
    assert (settings.size, settings.keep_aspect, settings.step) == (480, True, 2)
    assert segmentation.feedback and segmentation.num_objects == 1
    assert all(segmentation[name] == cfg.model.memory[name] for name in ('num_rounds', 'k', 'radius', 'num_context'))
    pipeline = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert pipeline['LoadPseudoMasks'].soft and pipeline['ChooseTargets'].max_objects == 1
    assert (pipeline['ReadClip'].sampling.num_following, pipeline['ReadClip'].sampling.step) == (2, 2)


SCHEMES = ('r18_ytvos', 'r50_ytvos', 'anchor_r18_ytvos', 'mast_r18_ytvos', 'crw_r18_k400')
OTHERS = ('r18_ytvos_seg', 'vits8_ytvos', 'sigma_vitb_ytvos')


@pytest.mark.parametrize('name', [*SCHEMES, *(f'{name}_corr' for name in SCHEMES), *OTHERS])
def test_builds(name: str) -> None:
    cfg = load_config(FOLDER / f'{name}.py')
    if name == 'vits8_ytvos':
        cfg.model.backbone.encoder.weights = 'random'
    if name == 'sigma_vitb_ytvos':  # a smaller one is as good
        cfg.model.backbone.encoder.arch = dict(embed_dims=24, depth=1, num_heads=2)
    model = MODELS.build(cfg.model)
    assert isinstance(model, MaskVOS)
    assert (model.reader is None) == name.endswith('_corr') and (model.correspondence is None) == name.endswith('_seg')
    steps = [TRANSFORMS.build(step) for step in cfg.train_dataloader.dataset.pipeline]
    needs_views = isinstance(model.correspondence, ShortLongCorrespondence | AnchorCorrespondence)
    assert any(isinstance(step, SecondView) for step in steps) or not needs_views
    assert any(hook.type == 'ReclusterHook' for hook in cfg.custom_hooks) == (not name.endswith('_corr'))
    assert any(isinstance(step, LoadPseudoMasks) for step in steps) or name.endswith('_corr')


def test_recipe_of_the_paper() -> None:
    cfg = load_config(FOLDER / 'r18_ytvos.py')
    hook = cfg.custom_hooks[-1]
    assert (cfg.train_cfg.max_epochs, hook.start, hook.interval) == (400, 300, 10)
    assert (cfg.optim_wrapper.optimizer.type, cfg.optim_wrapper.optimizer.lr) == ('Adam', 1e-4)
    correspondence = cfg.model.correspondence
    assert (correspondence.short_weight, correspondence.long_weight) == (0.1, 0.5)
    assert (cfg.model.segmentation.num_rounds, cfg.model.memory.num_rounds, cfg.model.memory.num_context) == (1, 3, 20)
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 16
    pipeline = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert pipeline['ReadClip'].sampling.min_gap == 5
    assert (pipeline['ScaleCropFlip'].size, tuple(pipeline['ScaleCropFlip'].short_side)) == (256, (256, 320))
    assert tuple(pipeline['SecondView'].zoom) == (0.5, 1.0)


def hook_of(**options) -> dict:
    return load_config(FOLDER / 'r18_ytvos.py', options).custom_hooks[-1]


@pytest.mark.parametrize('count', [2, 3, 8, 10])
def test_numbers_of_clusters(count: int) -> None:
    hook = hook_of(num_clusters=count)
    assert (hook.settings.num_clusters, hook.start, hook.interval) == (count, 300, 10)


@pytest.mark.parametrize('interval', [1, 5, 15, 20, 100])
def test_update_periods(interval: int) -> None:
    assert hook_of(update_every=interval).interval == interval


def test_clustering_without_options_is_the_default() -> None:
    assert ReclusterSettings(**hook_of().settings) == ReclusterSettings()
    assert ReclusterSettings(**hook_of(cluster_method='sinkhorn').settings).method == 'sinkhorn'


def test_step_reaches_sampling_and_clustering() -> None:
    cfg = load_config(FOLDER / 'r18_ytvos.py', dict(step=5))
    assert cfg.train_dataloader.dataset.pipeline[0].sampling.step == cfg.custom_hooks[-1].settings.step == 5


def rates_of(name: str, **options) -> list[float]:
    """Learning rate of each epoch."""
    cfg = load_config(FOLDER / f'{name}.py', options)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [PARAM_SCHEDULERS.build(dict(item, optimizer=optimizer)) for item in cfg.param_scheduler]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    return rates


def test_learning_rates_over_the_epochs() -> None:
    assert rates_of('r18_ytvos') == pytest.approx([1e-4] * 100 + [5e-5] * 100 + [2.5e-5] * 100 + [1e-5] * 100)
    stages = dict(correspondence_epochs=4, joint_epochs=2)
    assert rates_of('r18_ytvos', base_lr=4e-4, **stages) == pytest.approx([4e-4, 2e-4, 1e-4, 1e-4, 1e-5, 1e-5])
    assert rates_of('r18_ytvos', joint_lr=3e-5, **stages)[-2:] == pytest.approx([3e-5] * 2)
    assert rates_of('r18_ytvos', correspondence_epochs=0, joint_epochs=2) == pytest.approx([1e-5] * 2)
    assert rates_of('mast_r18_ytvos') == pytest.approx([1e-3] * 100 + [5e-4] * 100 + [2.5e-4] * 100 + [1e-5] * 100)
    assert rates_of('crw_r18_k400') == pytest.approx([1e-4] * 20 + [3e-5] * 5 + [1e-5] * 8)
    assert rates_of('crw_r18_k400_corr') == pytest.approx([1e-4] * 20 + [3e-5] * 5)


def test_recipe_of_mast() -> None:
    cfg = load_config(FOLDER / 'mast_r18_ytvos_corr.py', dict(step=5))
    sampling = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[0].sampling)
    assert (sampling.num_frames, sampling.step) == (2, 5)
    assert (tuple(sampling.gaps), tuple(sampling.probabilities)) == ((2, 5, 8), (0.4, 0.4, 0.2))
    assert (cfg.train_dataloader.batch_size, cfg.model.correspondence.radius) == (12, 6)
    assert (cfg.optim_wrapper.optimizer.type, cfg.optim_wrapper.optimizer.lr) == ('Adam', 1e-3)
    (halving,) = cfg.param_scheduler
    millions = [step * 12 / 1e6 for step in halving.milestones]
    assert millions == pytest.approx([0.4, 0.6, 0.8, 1.0], abs=1e-5) and not halving.by_epoch and halving.gamma == 0.5
    assert cfg.train_cfg.max_epochs * 3471 == pytest.approx(20 * 94588, rel=1e-3)


def test_recipe_of_crw() -> None:
    cfg = load_config(FOLDER / 'crw_r18_k400.py', dict(data_root='elsewhere', fps=6))
    dataset, hook = cfg.train_dataloader.dataset, cfg.custom_hooks[-1]
    assert (dataset.data_root, dataset.ann_file, dataset.folders) == ('elsewhere', 'train.txt', False)
    assert dataset.pipeline[0].sampling == dict(type='SampleClipAtRate', num_frames=4, fps=6)
    assert (hook.start, hook.interval, ReclusterSettings(**hook.settings)) == (25, 4, ReclusterSettings(fps=6))
    crop = next(step for step in dataset.pipeline if step.type == 'CropEachFrame')
    assert (crop.size, tuple(crop.scale), tuple(crop.ratio)) == (256, (0.8, 0.95), (0.7, 1.3))
    scheme = cfg.model.correspondence
    assert (scheme.nodes, scheme.patch_size, scheme.patch_stride) == ('patches', 64, 32)
    assert (scheme.temperature, scheme.dropout, cfg.train_dataloader.batch_size) == (0.05, 0.1, 20)
    assert load_config(FOLDER / 'crw_r18_k400.py').train_dataloader.dataset.pipeline[0].sampling.fps == 8


def run(name: str, root: Path, tmp_path: Path, options: dict, **model) -> tuple[dict[str, float], Path]:
    """Test the untrained model of a config: its metrics, and the folder of the run."""
    cfg = load_config(FOLDER / f'{name}.py', {'data_root_test': str(root), **options})
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'run'), f'{tmp_path.name}_{name}'
    cfg.merge_from_dict(dict(model=model))
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'weights.pth')
    cfg.load_from = str(tmp_path / 'weights.pth')
    return build_runner(cfg).test(), tmp_path / 'run'


def test_davis16(tmp_path: Path) -> None:
    root = make_davis(tmp_path / 'davis', dict(ant=4), year=2016)
    metrics, folder = run('r18_ytvos', root, tmp_path, dict(dataset_test='davis2016'))
    assert 0 <= metrics['vos/J&F'] < 100
    masks = [np.array(Image.open(path)) for path in sorted(folder.glob('*/davis2016_val/ant/*.png'))]
    assert len(masks) == 4 and set(np.unique(masks)) <= {0, 1}


def test_youtube_vos(tmp_path: Path) -> None:
    metrics, folder = run('r18_ytvos', make_youtube_vos(tmp_path / 'ytvos'), tmp_path, dict(dataset_test='ytvos2018'))
    assert not any('J&F' in name for name in metrics)
    (path,) = folder.glob('*/ytvos_valid.zip')
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        assert len(names) == 3 and all(name.startswith('Annotations/') for name in names)
        first, later, _ = (set(np.unique(np.array(Image.open(archive.open(name))))) for name in names)
    assert first == {0, 1} and 4 in later and later <= {0, 1, 4}  # ids with a gap; the second object comes late
    cfg = load_config(FOLDER / 'r18_ytvos.py', dict(dataset_test='ytvos2019'))
    assert cfg.test_dataloader.dataset.data_root == 'data/youtube_vos_2019'
    assert cfg.test_dataloader.dataset.layout == 'youtube_vos'


def test_vip(tmp_path: Path) -> None:
    root = make_vip(tmp_path / 'vip', dict(ant=4, bee=5))
    metrics, folder = run('r18_ytvos_vip', root, tmp_path, {}, geometry=dict(size=(80, 112)))
    assert 0 < metrics['vip/mIoU'] < 100 and 0 < metrics['vip/pixel_accuracy'] < 100
    assert len(list(folder.glob('*/vip_val/*/*.png'))) == 9
    cfg = load_config(FOLDER / 'r18_ytvos_vip.py')
    assert tuple(cfg.model.geometry.size) == (560, 560) and cfg.model.memory.num_context == 4


@pytest.mark.parametrize('depth', [18, 50])
def test_servers(depth: int) -> None:
    cfg = load_config(FOLDER / f'r{depth}_ytvos.py', dict(dataset_test='davis2017_testdev'))
    assert cfg.test_dataloader.dataset.split == 'test-dev'
    assert not cfg.test_evaluator.score and cfg.test_evaluator.archive
    cfg = load_config(FOLDER / f'r{depth}_ytvos.py', dict(dataset_test='ytvos2018', data_root_test='elsewhere'))
    assert cfg.model.backbone.depth == depth and cfg.test_dataloader.dataset.data_root == 'elsewhere'
    assert 'train' not in cfg.test_dataloader.dataset.data_root and cfg.test_evaluator.top_folder == 'Annotations'


ARCHITECTURES = {
    'KeyEncoder': lambda backbone: f'ResNet-{backbone.depth}',
    'MASTKeyEncoder': lambda backbone: 'ResNet-18 of MAST',
    'ViTKeyEncoder': lambda backbone: 'ViT-B' if backbone.encoder.get('arch') == 'base' else 'DINO ViT-S/8',
}
SCHEME_NAMES = {
    'AnchorCorrespondence': 'anchors',
    'PhotometricCorrespondence': 'photometric',
    'RandomWalkCorrespondence': 'random walk',
}
DATA = {'data/youtube_vos_2018/train': 'YouTube-VOS 2018', 'data/kinetics400': 'Kinetics-400'}
ENTRIES = read_models('mask_vos')
# these have no result of training of their own
OTHER_CONFIGS = ('dino_r18_ytvos', 'r18_ytvos_keys', 'r18_ytvos_vip')
# of the paper's results on other data than DAVIS-2017: the config and its options
OTHER_DATA = {
    'DAVIS-2017 test-dev': ('', dict(dataset_test='davis2017_testdev')),
    'YouTube-VOS 2018': ('', dict(dataset_test='ytvos2018')),
    'VIP': ('_vip', {}),
}


def scheme_of(correspondence: dict | None) -> str:
    if correspondence is None:
        return 'none'
    if correspondence.type in SCHEME_NAMES:
        return SCHEME_NAMES[correspondence.type]
    parts = [part for part in ('short', 'long') if correspondence[f'{part}_weight']]
    return f'{" and ".join(parts)} term'


def test_every_recipe_is_in_the_metafile() -> None:
    assert sorted([*plain_configs(ENTRIES), *OTHER_CONFIGS]) == [path.stem for path in CONFIGS]


@pytest.mark.parametrize('name', ENTRIES)
def test_every_row_of_the_paper_builds(name: str) -> None:
    entry = ENTRIES[name]
    for result in entry.get('Paper Results', ()):
        suffix, options = OTHER_DATA.get(result['Dataset'], ('', {}))
        cfg = load_config(FOLDER / f'{Path(entry["Config"]).stem}{suffix}.py', {**entry.get('Options', {}), **options})
        check_config(cfg)
        assert isinstance(MODELS.build(cfg.model), MaskVOS)


@pytest.mark.parametrize('name', ENTRIES)
def test_metadata_is_what_the_config_says(name: str) -> None:
    cfg, entry = load_model(ENTRIES[name]), ENTRIES[name]
    assert entry['In Collection'] == 'Mask-VOS'
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size
    assert entry['Metadata'] == {
        'Architecture': ARCHITECTURES[cfg.model.backbone.type](cfg.model.backbone),
        'Training Data': DATA[cfg.data_root],
        'Correspondence': scheme_of(cfg.model.correspondence),
        'Masks': cfg.model.decoder is not None,
        'Batch Size': cfg.train_dataloader.batch_size,
        'Learning Rate': cfg.optim_wrapper.optimizer.lr,
        'Epochs': cfg.train_cfg.max_epochs,
    }


def models_of(cell: str) -> list[tuple[str, dict[str, str]]]:
    """Configs with their options: ``[...](config.py) `key=1`, `2` `` are two of the same config."""
    found: list[tuple[str, dict[str, str]]] = []
    name = key = ''
    for config, several, option, value in re.findall(
        r'\((\w+)\.py\)|`([\w.]+=[\w.]+(?: [\w.]+=[\w.]+)+)`|`(?:([\w.]+)=)?(\w[\w.]*)`', cell
    ):
        if config:
            name = config
            found.append((name, {}))
            continue
        if several:
            found[-1] = (name, dict(pair.split('=') for pair in several.split()))
            continue
        key = option or key
        if option:
            found.pop()
        found.append((name, {key: value}))
    return found


def test_readme_names_every_config_and_its_result() -> None:
    """In a row of the first table, the k-th config, or value of an option, has the k-th number."""
    text = (FOLDER / 'README.md').read_text()
    assert set(re.findall(r'\]\((\w+)\.py\)', text)) == {path.stem for path in CONFIGS} - {'r18_ytvos_keys'}
    results = [
        (Path(entry['Config']).stem, {key: str(value) for key, value in entry.get('Options', {}).items()}, score)
        for entry in ENTRIES.values()
        for score in [result['Metrics']['J&F'] for result in entry.get('Paper Results', ())[:1]]
    ]
    stated = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if line.startswith('|') and len(cells) == 3 and (numbers := re.findall(r'\d\d\.\d', cells[1])):
            pairs = zip(models_of(cells[0]), map(float, numbers), strict=True)
            stated += [(*model, number) for model, number in pairs]
        if len(cells) == 5 and (numbers := re.findall(r'\d\d\.\d', cells[3])):
            pairs = zip((models_of(cell)[0] for cell in cells[1:3]), map(float, numbers), strict=True)
            stated += [(*model, number) for model, number in pairs]
    assert all(result in stated for result in results) and all(result in results for result in stated)


def test_test_sets_are_those_of_label_propagation() -> None:
    for name in ('davis2016', 'davis2017', 'davis2017_testdev', 'ytvos2018', 'ytvos2019'):
        here = load_config(FOLDER / 'r18_ytvos.py', dict(dataset_test=name))
        there = load_config(FOLDER.parent / 'vos' / 'r18.py', dict(dataset=name))
        assert here.test_dataloader == there.test_dataloader and here.test_evaluator == there.test_evaluator


def test_recipe_of_the_release() -> None:
    names = ('r18_ytvos_release', 'r18_ytvos_release_masks')
    first, second = (load_model(ENTRIES[name], step=5) for name in names)
    for cfg, rate, batch, kept in ((first, 1e-4, 16, 5), (second, 1e-5, 12, 3)):
        optimizer = cfg.optim_wrapper.optimizer
        assert (optimizer.type, optimizer.lr, tuple(optimizer.betas)) == ('Adam', rate, (0.5, 0.999))
        assert cfg.param_scheduler == [dict(type='StepLR', step_size=100, gamma=0.5)]
        assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == batch
        sampling, shuffling = cfg.train_dataloader.dataset.pipeline[0].sampling
        assert (sampling.num_frames, tuple(sampling.gaps), sampling.step, shuffling.keep) == (5, (2,), 5, kept)
        model = MODELS.build(cfg.model)
        groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
        names = {parameter: name for name, parameter in model.named_parameters()}
        rates: dict[bool, set] = {True: set(), False: set()}
        for group in groups:
            for parameter in group['params']:
                if parameter.requires_grad:
                    rates[names[parameter].endswith('bias')].add((group['lr'], group['weight_decay']))
        assert rates == {True: {(2 * rate, 0.0)}, False: {(rate, 5e-4)}}
    assert first.model.correspondence.type == 'AnchorCorrespondence' and second.model.correspondence is None
    hook = second.custom_hooks[-1]
    assert (hook.start, hook.interval, hook.settings.step) == (0, second.train_cfg.max_epochs, 5)
    assert (hook.settings.num_clusters, hook.settings.code_weight, hook.settings.max_share) == (7, 0.0, 1.0)


def test_without_refinement() -> None:
    cfg = load_model(ENTRIES['r18_ytvos_rounds0'])
    assert cfg.model.segmentation.num_rounds == cfg.model.memory.num_rounds == 0
    assert MODELS.build(cfg.model).segmentation['num_rounds'] == 0
