"""Pre-training by the Runner, on real files, with everything that can go wrong."""

import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmsigma.apis.launch import build_runner, enable_mixed_precision
from tests.end_to_end.conftest import tiny


def weights(work_dir: Path, name: str = 'epoch_2.pth') -> dict:
    return torch.load(Path(work_dir) / name, weights_only=True)['state_dict']


def scalars(work_dir: Path) -> list[dict]:
    (path,) = Path(work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_training_lowers_the_loss_and_leaves_pictures_and_logs(demo_set, tmp_path):
    cfg = tiny(demo_set, tmp_path, epochs=12, **{'default_hooks.logger.interval': 4, 'log_processor.window_size': 4})
    build_runner(cfg).train()
    losses = [row['loss'] for row in scalars(tmp_path)]
    assert losses[-1] < 0.95 * losses[0]
    assert {'used_prototypes', 'assignment_entropy', 'relative_level', 'lr'} <= scalars(tmp_path)[0].keys()
    (pictures,) = tmp_path.glob('*/pictures')
    assert {path.name for path in pictures.iterdir()} == {'inputs.png', 'prototypes.png', 'curves.png'}
    assert 'loss_target' in next(tmp_path.glob('*/*.log')).read_text()


class KillAt(Hook):
    """Ends the process without any chance to clean up."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.iteration:
            os.kill(os.getpid(), signal.SIGKILL)


def train_and_die(cfg, iteration: int) -> None:
    runner = build_runner(cfg)
    runner.register_hook(KillAt(iteration))
    runner.train()


def saving_often(demo_set: Path, work_dir: Path, workers: int) -> Config:
    """8 iterations in 2 epochs, with a checkpoint of every second one.

    The schedule counts epochs, so that what happens after an epoch matters.
    """
    options = {
        'num_workers': workers,
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.checkpoint.max_keep_ckpts': -1,
        'param_scheduler.convert_to_iter_based': False,
    }
    return tiny(demo_set, work_dir, **options)


@pytest.fixture(scope='module')
def uninterrupted(demo_set, tmp_path_factory) -> dict:
    """The last checkpoint of a run that reads videos in its own process."""
    work_dir = tmp_path_factory.mktemp('whole')
    build_runner(saving_often(demo_set, work_dir, workers=0)).train()
    return torch.load(work_dir / 'iter_8.pth', weights_only=True)


@pytest.fixture(scope='module')
def killed(demo_set, tmp_path_factory) -> Path:
    """What is left of a run with two loading processes that was killed before the eighth iteration."""
    work_dir = tmp_path_factory.mktemp('cut')
    context = multiprocessing.get_context('spawn')
    victim = context.Process(target=train_and_die, args=(saving_often(demo_set, work_dir, workers=2), 7))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'iter_6.pth')
    return work_dir


@pytest.mark.parametrize(('workers', 'last'), [(0, 6), (2, 6), (0, 4)])
def test_resume_after_a_kill_equals_the_uninterrupted_run(
    demo_set, uninterrupted, killed, tmp_path, capsys, workers, last
):
    """Resumes in the middle of epoch 2, or at the end of epoch 1."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    if last == 4:
        (tmp_path / 'iter_6.pth').unlink()
    resumed = saving_often(demo_set, tmp_path, workers)
    resumed.resume = True
    processes = set(multiprocessing.active_children())
    build_runner(resumed).train()
    assert set(multiprocessing.active_children()) == processes  # the loader's have ended
    assert f'resumed at step {last}' in capsys.readouterr().out
    actual = torch.load(tmp_path / 'iter_8.pth', weights_only=True)
    assert actual['meta']['epoch'] == uninterrupted['meta']['epoch'] == 1
    for name, value in uninterrupted['state_dict'].items():
        assert torch.equal(value, actual['state_dict'][name]), name
    for index, state in uninterrupted['optimizer']['state'].items():
        assert torch.equal(state['exp_avg_sq'], actual['optimizer']['state'][index]['exp_avg_sq'])
    history = [content['message_hub']['log_scalars']['train/loss'][0] for content in (uninterrupted, actual)]
    assert torch.equal(*history)


@pytest.mark.parametrize('pointer', [None, '', '/moved/away/iter_6.pth', 'iter_2.pth'])
def test_resume_needs_no_pointer(demo_set, uninterrupted, killed, tmp_path, capsys, pointer):
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    (tmp_path / 'last_checkpoint').unlink()
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer)
    resumed = saving_often(demo_set, tmp_path, workers=0)
    resumed.resume = True
    build_runner(resumed).train()
    assert 'resumed at step 6' in capsys.readouterr().out
    for name, value in uninterrupted['state_dict'].items():
        assert torch.equal(value, weights(tmp_path, 'iter_8.pth')[name]), name


@pytest.mark.parametrize('damage', ['truncated', 'flipped', 'empty'])
def test_damaged_last_checkpoint_falls_back_loudly(demo_set, uninterrupted, killed, tmp_path, capsys, caplog, damage):
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    last = tmp_path / 'iter_6.pth'
    data = bytearray(last.read_bytes())
    if damage == 'flipped':
        place = bytes(data).index(b'data/3') + 400
        data[place : place + 4] = bytes(255 - value for value in data[place : place + 4])
    last.write_bytes(data[: {'truncated': len(data) // 2, 'empty': 0}.get(damage, len(data))])
    resumed = saving_often(demo_set, tmp_path, workers=0)
    resumed.resume = True
    build_runner(resumed).train()
    output = capsys.readouterr()
    assert 'resumed at step 4' in output.out and 'iter_6.pth is damaged' in output.out + output.err
    for name, value in uninterrupted['state_dict'].items():
        assert torch.equal(value, weights(tmp_path, 'iter_8.pth')[name]), name


@pytest.mark.parametrize('part', ['state_dict', 'optimizer'])
def test_diverged_last_checkpoint_falls_back_loudly(demo_set, uninterrupted, killed, tmp_path, capsys, part):
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    content = torch.load(tmp_path / 'iter_6.pth', weights_only=True)
    tensors = content[part] if part == 'state_dict' else content[part]['state'][0]
    next(value for value in tensors.values() if value.ndim)[:] = torch.nan
    torch.save(content, tmp_path / 'iter_6.pth')
    resumed = saving_often(demo_set, tmp_path, workers=0)
    resumed.resume = True
    build_runner(resumed).train()
    output = capsys.readouterr()
    assert 'resumed at step 4' in output.out and 'iter_6.pth contains NaN' in output.out + output.err
    for name, value in uninterrupted['state_dict'].items():
        assert torch.equal(value, weights(tmp_path, 'iter_8.pth')[name]), name


def test_other_samplers_cannot_be_resumed(tiny_config):
    tiny_config.train_dataloader.sampler.type = 'DefaultSampler'
    with pytest.raises(ValueError, match=r"sampler is DefaultSampler.*set type='SeededSampler'"):
        build_runner(tiny_config).train()


def test_checkpoints_hold_nothing_that_could_execute_code(tiny_config):
    build_runner(tiny_config).train()
    content = torch.load(Path(tiny_config.work_dir) / 'epoch_2.pth', weights_only=True)
    assert {'state_dict', 'optimizer', 'param_schedulers', 'message_hub', 'meta'} <= content.keys()


def test_every_trainable_parameter_gets_a_gradient(tiny_config):
    runner = build_runner(tiny_config)
    runner.train()
    moments = runner.optim_wrapper.optimizer.state  # AdamW keeps them for what had a gradient
    assert not [name for name, value in runner.model.named_parameters() if value not in moments]


def test_teacher_is_untouched_by_runner_and_training(demo_set, tmp_path):
    teacher = dict(
        _delete_=True,
        type='FrozenEncoderTarget',
        weights='random',
        img_size=64,
        grid=(8, 8),
        model_kwargs=dict(patch_size=8, embed_dim=24, depth=1, num_heads=2),
    )
    cfg = tiny(demo_set, tmp_path)
    cfg.merge_from_dict({'model.target': teacher})
    runner = build_runner(cfg)
    before = {name: value.clone() for name, value in runner.model.target.encoder.state_dict().items()}
    runner.train()
    after = runner.model.target.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not runner.model.target.encoder.training
    assert not any('encoder' in name for name in weights(tmp_path))


def broken_set(demo_set: Path, folder: Path, bad: int) -> Path:
    """The demo set with ``bad`` files of garbage in front of its training list."""
    (folder / 'annotations').mkdir(parents=True)
    (folder / 'videos').symlink_to(demo_set / 'videos')
    names = []
    for number in range(bad):
        (folder / f'broken {number}.mp4').write_bytes(b'not a video' * 100)
        names.append(f'broken {number}.mp4 0\n')
    good = (demo_set / 'annotations' / 'train.txt').read_text()
    (folder / 'annotations' / 'train.txt').write_text(''.join(names) + good)
    return folder


def test_a_broken_video_is_replaced_and_named(demo_set, tmp_path):
    cfg = tiny(broken_set(demo_set, tmp_path / 'data', bad=1), tmp_path / 'run')
    build_runner(cfg).train()
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert log.count('skipped an unreadable video') == 1 and 'broken 0.mp4' in log
    assert '1 unreadable videos were replaced' in log


def test_too_many_broken_videos_stop_the_run(demo_set, tmp_path):
    cfg = tiny(broken_set(demo_set, tmp_path / 'data', bad=8), tmp_path / 'run')
    cfg.custom_hooks[1].update(min_draws=8, interval=2)
    with pytest.raises(OSError, match=r'more than the tolerated 5%.*\n.*broken \d'):
        build_runner(cfg).train()


class Poison(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 2:
            runner.model.backbone.blocks[0].mlp.fc1.weight.data[0, 0] = float('nan')


def test_nan_stops_the_run_with_its_cause(tiny_config):
    runner = build_runner(tiny_config)
    runner.register_hook(Poison())
    with pytest.raises(
        FloatingPointError, match=r'loss is nan in iteration 2 .*1 parameters were not finite.*blocks\.0\.mlp\.fc1'
    ):
        runner.train()


@pytest.mark.parametrize('keep', [1, 3])
def test_full_disk_leaves_the_last_good_checkpoint(tiny_config, monkeypatch, keep):
    save = torch.save

    def full(content, target, *args, **kwargs):
        if isinstance(content, dict) and content.get('meta', {}).get('epoch') == 2:
            raise OSError(28, 'No space left on device')
        return save(content, target, *args, **kwargs)

    monkeypatch.setattr(torch, 'save', full)
    tiny_config.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=keep)
    with pytest.raises(OSError, match=r'epoch_2\.pth could not be written .*No space left.*epoch_1\.pth'):
        build_runner(tiny_config).train()
    assert weights(tiny_config.work_dir, 'epoch_1.pth')
    assert sorted(path.name for path in Path(tiny_config.work_dir).glob('*.pth')) == ['epoch_1.pth']


def test_only_so_many_checkpoints_are_kept(demo_set, tmp_path):
    for epochs in (3, 4):  # the second run resumes
        cfg = tiny(demo_set, tmp_path, epochs=epochs)
        cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
        cfg.resume = 'auto'
        build_runner(cfg).train()
        assert [path.name for path in tmp_path.glob('*.pth')] == [f'epoch_{epochs}.pth']


def test_keys_cannot_be_revised(tiny_config):
    with pytest.raises(NotImplementedError, match='revise_keys is not supported'):
        build_runner(tiny_config).load_checkpoint('x.pth', revise_keys=[('^a', 'b')])


@pytest.mark.parametrize('base', [4, 16])
def test_a_rate_for_another_batch_is_pointed_out(tiny_config, capsys, base):
    tiny_config.auto_scale_lr.base_batch_size = base
    build_runner(tiny_config).train()
    warning = 'the learning rate is set for 16 clips per step, not 4: scale it with --auto-scale-lr'
    assert (warning in capsys.readouterr().out) == (base == 16)


def test_checkpoint_of_another_size_is_refused(tiny_config, demo_set, tmp_path):
    build_runner(tiny_config).train()
    other = tiny(demo_set, tmp_path / 'other', **{'model.head.num_prototypes': 24})
    other.load_from = str(Path(tiny_config.work_dir) / 'epoch_2.pth')
    with pytest.raises(RuntimeError, match=r'another size.*head\.prototypes\.0: \(16, 64\) instead of \(24, 64\)'):
        build_runner(other).train()


def test_mixed_precision_on_the_cpu_stays_close(demo_set, tmp_path, monkeypatch):
    monkeypatch.setattr('mmsigma.apis.launch.has_fast_bfloat16', lambda _: True)
    results = {}
    for name in ('full', 'mixed'):
        cfg = tiny(demo_set, tmp_path / name, epochs=1, **{'default_hooks.logger.interval': 1})
        if name == 'mixed':
            enable_mixed_precision(cfg)
        build_runner(cfg).train()
        results[name] = scalars(tmp_path / name)[0]['loss']
    assert results['mixed'] == pytest.approx(results['full'], rel=2e-2)
    assert results['mixed'] != results['full']


def test_several_clips_of_one_that_is_read(tiny_config, tmp_path, capsys):
    pipeline = tiny_config.train_dataloader.dataset.pipeline
    repeated = dict(type='RepeatAugment', num_repeats=3, transforms=pipeline[1:])
    tiny_config.train_dataloader.dataset.pipeline = [pipeline[0], repeated]
    tiny_config.train_dataloader.collate_fn = dict(type='flatten_collate')
    tiny_config.auto_scale_lr.enable = True
    runner = build_runner(tiny_config)
    seen = []
    loss = runner.model.loss
    runner.model.loss = lambda inputs, split: seen.append((inputs, split.masked)) or loss(inputs, split)
    steps = len(runner.train_dataloader)
    runner.train()
    assert len(seen) == steps * runner.max_epochs  # an epoch reads every video once
    inputs, masked = seen[0]
    assert len(inputs) == 12  # 4 videos
    # samples of one clip differ in crop and mask
    assert not torch.equal(inputs[0], inputs[1]) and not torch.equal(masked[0], masked[1])
    assert runner.optim_wrapper.param_groups[0]['initial_lr'] == pytest.approx(1e-3 * 12 / 16)
    assert '12 clips per step' in capsys.readouterr().out


def test_auto_scale_lr_scales_the_minimum_too(tiny_config):
    tiny_config.auto_scale_lr.enable = True
    runner = build_runner(tiny_config)
    runner.train()
    group = runner.optim_wrapper.param_groups[0]
    assert group['initial_lr'] == pytest.approx(1e-3 * 4 / 16)
    assert 1e-3 / 4 / 15 < group['lr'] < 1e-3 / 4
