"""From pre-training to a number: fine-tune, test, probe, by Runner and by stored features."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmsigma.apis import FeatureExtractor, VideoClassifier
from mmsigma.apis.features import dataset_of, extract_features
from mmsigma.apis.launch import build_runner
from mmsigma.apis.models import build_frozen_model
from mmsigma.evaluation.classification.knn import knn_accuracy
from mmsigma.io.feature_store import FeatureStore
from mmsigma.utils.config import load_config
from tests.end_to_end.conftest import ROOT, tiny
from tests.scripts import Result, launch

ARCH = dict(embed_dims=32, depth=2, num_heads=2)


def downstream(name: str, data_root: Path, work_dir: Path, **options) -> Config:
    given = {'data_root': str(data_root), 'num_workers': 0, 'model.backbone.arch': ARCH}
    if name != 'knn':
        given.update({'epochs': 2, 'batch_size': 4})
    cfg = load_config(ROOT / 'configs' / 'demo' / f'{name}_tiny_demo.py', {**given, **options})
    cfg.work_dir, cfg.experiment_name = str(work_dir), uuid.uuid4().hex
    return cfg


@pytest.fixture(scope='module')
def pretrained(demo_set, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp('pretrained')
    build_runner(tiny(demo_set, folder, epochs=1)).train()
    return str(folder / 'epoch_1.pth')


@pytest.fixture(scope='module')
def finetuned(demo_set, pretrained, tmp_path_factory) -> tuple[str, dict]:
    folder = tmp_path_factory.mktemp('finetuned')
    runner = build_runner(
        downstream('finetune', demo_set, folder, load_from=pretrained, **{'train_cfg.val_interval': 1})
    )
    runner.train()
    assert {path.name for path in folder.glob('*/pictures/*')} == {'inputs.png', 'curves.png'}
    return str(folder / 'epoch_2.pth'), runner.message_hub.log_scalars


def test_backbone_comes_from_pre_training(demo_set, pretrained, tmp_path, warnings_logged) -> None:
    runner = build_runner(downstream('finetune', demo_set, tmp_path, load_from=pretrained))
    runner.load_or_resume()
    state = torch.load(pretrained, weights_only=True)['state_dict']
    own = runner.model.backbone.state_dict()
    assert own and all(torch.equal(value, state[f'backbone.{name}']) for name, value in own.items())
    assert 'norm.weight' not in own  # the final norm of pre-training is left out, as in the release


def test_saved_model_tests_as_it_validated(demo_set, finetuned, tmp_path) -> None:
    checkpoint, scalars = finetuned
    cfg = downstream('finetune', demo_set, tmp_path, load_from=checkpoint)
    cfg.test_dataloader = cfg.val_dataloader
    metrics = build_runner(cfg).test()
    assert metrics['acc/top1'] == scalars['val/acc/top1'].current()
    assert 0 <= metrics['acc/top1'] <= metrics['acc/top5'] <= 100


def test_labels_have_names_from_the_checkpoint_alone(demo_set, finetuned) -> None:
    classify = VideoClassifier(finetuned[0], device='cpu')
    names = (demo_set / 'annotations' / 'classes.txt').read_text().split()
    assert classify.classes == names
    video = next((demo_set / 'videos').glob('*.mp4'))
    found = classify(video, top_k=2)
    assert found.names == [names[label] for label in found.labels]
    assert found.scores.sum() == pytest.approx(1)


def test_pre_trained_weights_alone_cannot_be_tested(demo_set, pretrained, tmp_path) -> None:
    with pytest.raises(RuntimeError, match=r"does not fit the model: missing 4 \['head\.fc\.bias'"):
        build_runner(downstream('finetune', demo_set, tmp_path, load_from=pretrained)).test()


def test_other_number_of_classes(demo_set, finetuned, tmp_path) -> None:
    options = dict(load_from=finetuned[0], num_classes=7)
    with pytest.raises(RuntimeError, match='another size'):
        build_runner(downstream('finetune', demo_set, tmp_path, **options)).load_or_resume()
    runner = build_runner(downstream('finetune', demo_set, tmp_path, load_backbone_only=True, **options))
    runner.load_or_resume()
    assert runner.model.head.fc.weight.shape[0] == 7


def test_linear_probe_changes_the_head_alone(demo_set, pretrained, tmp_path) -> None:
    runner = build_runner(downstream('linear', demo_set, tmp_path, load_from=pretrained))
    before = None

    def copy() -> dict:
        return {name: value.clone() for name, value in runner.model.state_dict().items()}

    runner.load_or_resume()
    before = copy()
    runner.train()
    after = copy()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {'head.fc.weight', 'head.fc.bias', 'head.fc_norm.weight', 'head.fc_norm.bias'}


def test_neighbours_by_runner_and_by_stored_features(demo_set, pretrained, tmp_path) -> None:
    cfg = downstream('knn', demo_set, tmp_path, load_from=pretrained)
    metrics = build_runner(cfg).test()
    parts = []
    for split in ('bank', 'test'):
        dataset = dataset_of(cfg, None, split)
        description = dict(num_videos=16 if split == 'bank' else 4, shard_size=3, format='npz')
        store = FeatureStore(tmp_path / split, description)
        model = build_frozen_model(cfg, pretrained, 'cpu')
        numbers = extract_features(model, dataset, store, batch_size=5, num_workers=0)
        assert numbers['failed'] == 0 and numbers['videos'] == description['num_videos']
        features = store.load()
        parts += [features.features, features.labels]
    assert knn_accuracy(*parts, k=(1, 5, 10, 20)) == metrics


def test_damaged_videos_of_the_bank_are_left_out_and_named(demo_set, pretrained, tmp_path, warnings_logged) -> None:
    lines = (demo_set / 'annotations/train.txt').read_text().splitlines()
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(b'no video')
    metrics = []
    for place, listed in enumerate([[*lines[:3], *lines[4:]], [*lines[:3], f'{broken} 1', *lines[4:]]]):
        listing = tmp_path / f'{place}.txt'
        listing.write_text('\n'.join(listed))
        cfg = downstream('knn', demo_set, tmp_path / str(place), load_from=pretrained, ann_file_train=str(listing))
        metrics.append(build_runner(cfg).test())
    assert metrics[0] == metrics[1]
    (message,) = (message for message in warnings_logged if 'of the bank' in message)
    assert f'1 of {len(lines)} videos of the bank cannot be read: {broken} (' in message
    listing.write_text(f'{broken} 1\n')
    with pytest.raises(ValueError, match='1 of 1 videos of the bank cannot be read'):
        build_runner(cfg).test()


def test_interrupted_extraction_goes_on(demo_set, pretrained, tmp_path) -> None:
    cfg = downstream('knn', demo_set, tmp_path)
    broken = tmp_path / 'broken'
    broken.mkdir()
    for number, path in enumerate(sorted((demo_set / 'videos').rglob('*.mp4'))[:5]):
        (broken / f'{number}.mp4').write_bytes(path.read_bytes() if number != 3 else b'no video')
    dataset = dataset_of(cfg, broken)
    store = FeatureStore(tmp_path / 'f', dict(num_videos=5, shard_size=2, format='safetensors'))
    model = build_frozen_model(cfg, pretrained, 'cpu')
    assert extract_features(model, dataset, store, num_workers=0)['failed'] == 1
    whole = store.load()
    assert [Path(path).name for path, _ in whole.failed] == ['3.mp4'] and len(whole.features) == 4
    store.shard_path(1).unlink()
    assert extract_features(model, dataset, store, num_workers=0)['videos'] == 2
    again = store.load()
    assert torch.equal(again.features, whole.features) and again.paths == whole.paths


@pytest.mark.slow
def test_tools_from_the_command_line(run_tool, demo_set, pretrained, tmp_path) -> None:
    """The test in a process of its own, the rest in this one."""

    def run(*command: object) -> str:
        done = run_tool(*command)
        assert done.status == 0, done.errors
        return done.output

    arch = [f'model.backbone.arch.{key}={value}' for key, value in ARCH.items()]
    options = ['--cfg-options', f'data_root={demo_set}', 'num_workers=0', *arch]
    config = ROOT / 'configs/demo/knn_tiny_demo.py'
    command = [sys.executable, ROOT / 'tools/test.py', config, pretrained, '--work-dir', tmp_path / 'run', *options]
    tested = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert tested.returncode == 0, tested.stderr
    extract = ('tools/extract_features.py', config, pretrained)
    for split, workers in (('bank', 2), ('test', 0)):
        out = run(*extract, tmp_path / split, '--split', split, '--num-workers', workers, *options)
        assert 'videos could not be read' in out and 'data wait' in out
    other = run_tool(*extract, tmp_path / 'test', *options, f'data_root={tmp_path}')
    assert other.status == 1 and 'no video list at' in other.errors
    other = run_tool(*extract, tmp_path / 'test', *options, '--split', 'bank')
    assert other.status == 1 and 'contains other features' in other.errors
    probed = run('tools/probe.py', 'knn', tmp_path / 'bank', tmp_path / 'test', '--k', 1, 5)
    assert probed.split('knn5_top1')[1].split()[0] == tested.stdout.split('knn5_top1')[1].split()[0]
    results = tmp_path / 'linear.json'
    sweep = ['--lr', '1e-2', '1e-3', '--epochs', 2, '--out', results]
    out = run('tools/probe.py', 'linear', tmp_path / 'bank', tmp_path / 'test', *sweep)
    assert 'best of 2' in out and [result['lr'] for result in json.loads(results.read_text())] == [1e-2, 1e-3]


def test_longer_lists_add_to_a_store(run_tool, demo_set, pretrained, tmp_path) -> None:
    """The videos in between are added; the store has the features of one that was made at once."""
    videos = sorted((demo_set / 'videos').rglob('*.mp4'))[:5]
    arch = [f'model.backbone.arch.{key}={value}' for key, value in ARCH.items()]
    tool = ('tools/extract_features.py', ROOT / 'configs/demo/knn_tiny_demo.py', pretrained)

    def extract(out: str, chosen: list[Path], *options: str) -> Result:
        (tmp_path / f'{len(chosen)}.txt').write_text(''.join(f'{path} {videos.index(path)}\n' for path in chosen))
        settings = ('--videos', tmp_path / f'{len(chosen)}.txt', '--num-workers', 0, '--shard-size', 2)
        return run_tool(*tool, tmp_path / out, *settings, *options, '--cfg-options', *arch)

    assert extract('grown', videos[::2], '--append').status == 0  # nothing is there yet
    first = FeatureStore.open(tmp_path / 'grown').shard_path(0)
    before = first.stat().st_mtime_ns
    assert 'set --append' in extract('grown', videos).errors
    for options in (('--append',), ('--append',)):
        assert '(5, 32) features' in extract('grown', videos, *options).output
    assert '(5, 32) features' in extract('whole', videos).output
    grown, whole = (FeatureStore.open(tmp_path / name).load() for name in ('grown', 'whole'))
    assert grown.labels.tolist() == [0, 2, 4, 1, 3] and first.stat().st_mtime_ns == before
    torch.testing.assert_close(grown.features, whole.features[grown.labels])
    assert run_tool('tools/merge_features.py', tmp_path / 'whole', '--out', tmp_path / 'one').output.startswith(
        '(5, 32)'
    )


def test_extraction_with_the_config_of_pre_training(run_tool, demo_set, pretrained, tmp_path) -> None:
    arch = [f'model.backbone.arch.{key}={value}' for key, value in ARCH.items()]
    config = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    command = ('tools/extract_features.py', config, pretrained, tmp_path / 'out', '--num-workers', 0)
    done = run_tool(*command, '--videos', demo_set / 'videos', '--cfg-options', *arch)
    assert done.status == 0, done.errors
    extract = FeatureExtractor(config, pretrained, options={'model.backbone.arch': ARCH}, device='cpu')
    stored = FeatureStore.open(tmp_path / 'out').load()
    torch.testing.assert_close(extract(stored.paths[0]), stored.features[0])
    # the checkpoint of the run contains both
    command = ('tools/extract_features.py', pretrained, '-', tmp_path / 'alone', '--num-workers', 0)
    done = run_tool(*command, '--videos', demo_set / 'videos')
    assert done.status == 0, done.errors
    assert torch.equal(FeatureStore.open(tmp_path / 'alone').load().features, stored.features)
    done = run_tool('tools/extract_features.py', config, '-', tmp_path / 'none', '--videos', demo_set / 'videos')
    assert done.status == 1 and 'sigma_tiny_demo_mlp.py contains no weights' in done.errors


@pytest.mark.slow
@pytest.mark.parametrize('name', ['knn', 'finetune'])
def test_two_processes_test_like_one(demo_set, pretrained, finetuned, tmp_path, name: str) -> None:
    """15 videos in the bank and 3 to test: neither can be dealt out evenly."""
    for part, number in (('train', 15), ('val', 3)):
        lines = (demo_set / f'annotations/{part}.txt').read_text().splitlines()
        (tmp_path / f'{part}.txt').write_text('\n'.join(lines[:number]))
    lists = {f'ann_file_{part}': str(tmp_path / f'{part}.txt') for part in ('train', 'val')}
    checkpoint = pretrained if name == 'knn' else finetuned[0]
    cfg = downstream(name, demo_set, tmp_path / 'one', load_from=checkpoint, **lists)
    expected = build_runner(cfg).test()
    assert len(cfg.test_dataloader.dataset.ann_file) > 0 and expected
    cfg.dump(tmp_path / 'two.py')
    launch('tools/dist_test.sh', tmp_path / 'two.py', checkpoint, 2, '--work-dir', tmp_path / 'two')
    (written,) = (path for path in (tmp_path / 'two').glob('*/*.json') if path.name != 'test.json')
    actual = json.loads(written.read_text())
    assert {key: actual[key] for key in expected} == pytest.approx(expected)


def test_features_of_one_video(demo_set, pretrained, tmp_path) -> None:
    cfg = downstream('knn', demo_set, tmp_path)
    options = {'data_root': str(demo_set), 'num_workers': 0, 'model.backbone.arch': ARCH}
    extract = FeatureExtractor(ROOT / 'configs' / 'demo' / 'knn_tiny_demo.py', pretrained, options=options)
    store = FeatureStore(tmp_path / 'store', dict(num_videos=4, shard_size=4, format='npz'))
    extract_features(build_frozen_model(cfg, pretrained, 'cpu'), dataset_of(cfg, None), store, num_workers=0)
    features = store.load()
    torch.testing.assert_close(extract(features.paths[0]), features.features[0])
    assert extract(features.paths[0], pooling='tokens').shape == (256, 32)
