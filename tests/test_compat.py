"""Workarounds do what upstream does not, and nothing more."""

import logging
import os
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine import hooks
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MMLogger
from mmengine.runner import save_checkpoint
from torch import nn
from torch.utils.data import DataLoader

from mmsigma import compat


class TestDistribution:
    @pytest.fixture(autouse=True)
    def _no_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'TORCHELASTIC_RUN_ID', 'SLURM_NTASKS'):
            monkeypatch.delenv(name, raising=False)

    def test_group_of_the_launcher(self, monkeypatch: pytest.MonkeyPatch) -> None:
        groups = []
        monkeypatch.setattr(dist, 'init_process_group', lambda backend, timeout: groups.append(backend))
        monkeypatch.setattr(compat, 'infer_launcher', lambda: 'pytorch')
        monkeypatch.setenv('LOCAL_RANK', '')  # so that it is put back
        del os.environ['LOCAL_RANK']
        compat.init_cpu_process_group('pytorch')
        assert groups == ['gloo'] and os.environ['LOCAL_RANK'] == '0'

    @pytest.mark.parametrize('launcher', ['none', 'pytorch'])
    def test_without_a_launcher(self, launcher: str) -> None:
        with pytest.raises(
            RuntimeError, match=f'launcher {launcher!r} on the CPU needs RANK and WORLD_SIZE .* torchrun'
        ):
            compat.init_cpu_process_group(launcher)

    def test_a_gpu_or_a_group_that_is_there_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(torch.cuda, 'is_available', lambda: True)
            compat.init_cpu_process_group('pytorch')
        monkeypatch.setattr(dist, 'is_initialized', lambda: True)
        compat.init_cpu_process_group('pytorch')

    def test_wrapper_has_no_device(self) -> None:
        default = compat.cpu_model_wrapper(None)
        assert default['device_ids'] is None and default['find_unused_parameters'] is False
        given = dict(type='Mine', device_ids=[0], broadcast_buffers=True)
        found = compat.cpu_model_wrapper(given, find_unused_parameters=True)
        assert found == dict(type='Mine', device_ids=None, broadcast_buffers=True, find_unused_parameters=True)
        assert given['device_ids'] == [0]
        assert not compat.cpu_model_wrapper(dict(find_unused_parameters=False), find_unused_parameters=True)[
            'find_unused_parameters'
        ]


def test_history_is_plain_and_comes_back(tmp_path: Path) -> None:
    history = HistoryBuffer([1.5, 2.5, 4.0], [1, 1, 2], max_length=7)
    hub = dict(log_scalars={'train/loss': history}, runtime_info=dict(lr=np.float64(0.1), epoch=3, name='x'), more=[1])
    torch.save(compat.pack_history(hub), tmp_path / 'hub.pth')
    found = compat.unpack_history(torch.load(tmp_path / 'hub.pth', weights_only=True))
    restored = found['log_scalars']['train/loss']
    for ours, theirs in zip(restored.data, history.data, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert restored.max_length == 7 and restored.mean() == history.mean()
    assert found['runtime_info'] == dict(lr=0.1, epoch=3, name='x') and found['more'] == [1]
    assert compat.unpack_history(found)['log_scalars']['train/loss'] is restored
    assert hub['log_scalars']['train/loss'] is history  # a run goes on with its own


def test_mixed_precision_on_the_cpu_is_bfloat16() -> None:
    model = nn.Linear(2, 2)
    wrapper = compat.CPUAmpOptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        output = model(torch.ones(1, 2))
    assert output.dtype == torch.bfloat16 and model(torch.ones(1, 2)).dtype == torch.float32
    wrapper.update_params(output.sum())
    torch.testing.assert_close(model.weight, before - 1, rtol=0, atol=0.01)


class TestCheckpointHook:
    @staticmethod
    def save(hook: compat.CheckpointHook, folder: Path, step: int, *, fails: bool = False) -> None:
        def write(out_dir: str, filename: str, *args: object, **kwargs: object) -> None:
            if fails:
                raise OSError('No space left on device')
            save_checkpoint(dict(step=step), str(Path(out_dir, filename)))

        hook.out_dir, hook.filename_tmpl = str(folder), 'epoch_{}.pth'
        hook.file_backend = SimpleNamespace(join_path=os.path.join, isdir=os.path.isdir)
        runner = SimpleNamespace(
            save_checkpoint=write, message_hub=SimpleNamespace(update_info=lambda *_: None), work_dir=str(folder)
        )
        hook.last_ckpt = None
        hook._save_checkpoint_with_step(runner, step, dict(epoch=step))

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.mark.parametrize(('keep', 'left'), [(1, [4]), (2, [3, 4]), (-1, [1, 2, 3, 4])])
    def test_oldest_are_removed(self, keep: int, left: list[int], folder: Path) -> None:
        hook = compat.CheckpointHook(interval=1, max_keep_ckpts=keep)
        hook.keep_ckpt_ids = deque()
        for step in range(1, 5):
            self.save(hook, folder, step)
        assert sorted(path.name for path in folder.glob('*.pth')) == [f'epoch_{step}.pth' for step in left]

    def test_not_before_the_newest_is_written(self, folder: Path) -> None:
        hook = compat.CheckpointHook(interval=1, max_keep_ckpts=1)
        hook.keep_ckpt_ids = deque()
        self.save(hook, folder, 1)
        with pytest.raises(OSError, match='No space left'):
            self.save(hook, folder, 2, fails=True)
        assert [path.name for path in folder.glob('*.pth')] == ['epoch_1.pth'] and hook.max_keep_ckpts == 1

    def test_one_file_per_process(self, folder: Path) -> None:
        hook = compat.CheckpointHook(interval=1, max_keep_ckpts=1)
        (folder / 'epoch_1.pth').mkdir()
        (folder / 'epoch_1.pth' / 'rank_0.pth').touch()
        hook.keep_ckpt_ids = deque([1])
        self.save(hook, folder, 2)
        assert [path.name for path in folder.glob('*.pth')] == ['epoch_2.pth']


@pytest.mark.parametrize('is_main', [True, False])
def test_results_of_a_test_are_written_by_one_process(is_main: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(
        hooks.LoggerHook, 'after_test_epoch', lambda self, runner, metrics=None: written.append(metrics)
    )
    monkeypatch.setattr(compat, 'is_main_process', lambda: is_main)
    compat.LoggerHook().after_test_epoch(None, dict(acc=1.0))
    assert written == ([dict(acc=1.0)] if is_main else [])


class TestConfigs:
    def read(self, path: Path, **values: object) -> tuple[Config, set[str]]:
        with compat.overridden_variables(values) as found:
            return Config.fromfile(path), found

    def test_variables_reach_what_is_computed_from_them(self, tmp_path: Path) -> None:
        path = tmp_path / 'a.py'
        path.write_text("root, depth = 'data', 2\nsize = 8\nplace = dict(file=root + '/x', cells=size // depth)\n")
        cfg, found = self.read(path, root='my "data"', size=12, other=1)
        assert cfg.place == dict(file='my "data"/x', cells=6) and found == {'root', 'size'}
        assert self.read(path)[0].place == dict(file='data/x', cells=4)

    def test_only_whole_variables_count(self, tmp_path: Path) -> None:
        path = tmp_path / 'a.py'
        path.write_text("model = dict(size=1)\nmodel['size'] = 2\n")
        cfg, found = self.read(path, size=3)
        assert cfg.model.size == 2 and not found

    def test_bases_of_any_installed_package(self, tmp_path: Path) -> None:
        path = tmp_path / 'a.py'
        path.write_text("_base_ = ['mmsigma::demo/sigma_tiny_demo_mlp.py']\nmine = 1\n")
        with compat.bases_from_installed_packages():
            cfg = Config.fromfile(path)
        assert cfg.model.type == 'SIGMA' and cfg.mine == 1 and '_scope_' not in cfg.model
        path.write_text("_base_ = ['mmaction::_base_/default_runtime.py']\n")
        with compat.bases_from_installed_packages():
            assert Config.fromfile(path).default_hooks.timer._scope_ == 'mmaction'

    def test_packages_that_are_not_installed(self) -> None:
        with pytest.raises(FileNotFoundError, match='nothing_like_it::a/b.py: no package nothing_like_it is installed'):
            compat.installed_config('nothing_like_it::a/b.py')
        path = compat.installed_config('mmsigma::sigma/x.py')
        assert path.parts[-5:] == ('mmsigma', '.mim', 'configs', 'sigma', 'x.py')

    def test_packages_in_a_checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that is on the path without an installation has its configs beside it."""
        (tmp_path / 'only_on_the_path').mkdir()
        (tmp_path / 'only_on_the_path' / '__init__.py').touch()
        monkeypatch.syspath_prepend(str(tmp_path))
        installed = tmp_path / 'only_on_the_path' / '.mim' / 'configs'
        assert compat.installed_config('only_on_the_path::a/b.py') == installed / 'a' / 'b.py'
        (tmp_path / 'configs').mkdir()
        assert compat.installed_config('only_on_the_path::a/b.py') == tmp_path / 'configs' / 'a' / 'b.py'
        installed.mkdir(parents=True)
        assert compat.installed_config('only_on_the_path::a/b.py') == installed / 'a' / 'b.py'

    def test_text_is_formatted_once_until_it_changes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cfg = Config(dict(size=64, model=dict(depth=2)))
        text = cfg.pretty_text
        monkeypatch.setattr('yapf.yapflib.yapf_api.FormatTree', None)
        assert Config(dict(size=64, model=dict(depth=2))).pretty_text == text
        cfg.size = 32
        with pytest.raises(SyntaxError, match='Failed to format'):  # mmengine's name of whatever goes wrong
            cfg.pretty_text  # noqa: B018
        monkeypatch.undo()
        assert cfg.pretty_text != text and 'size = 32' in cfg.pretty_text


def test_initialisation_is_quiet_for_a_while() -> None:
    logger = MMLogger.get_current_instance()
    level = logger.level
    with pytest.raises(KeyError), compat.quiet_initialisation():
        assert not logger.isEnabledFor(logging.INFO) and logger.isEnabledFor(logging.WARNING)
        raise KeyError
    assert logger.level == level


def test_workers_end_at_once() -> None:
    loader = DataLoader([1.0, 2.0], num_workers=1, persistent_workers=True)
    assert len(list(loader)) == 2
    (worker,) = loader._iterator._workers
    compat.end_workers(loader)
    worker.join(2)
    assert not worker.is_alive()


@pytest.mark.parametrize(
    ('message', 'kept'),
    [
        ('"FileClient" will be deprecated in future', False),
        ('"HardDiskBackend" is the alias of "LocalBackend"', False),
        ('the loss is nan: "FileClient" will be deprecated', True),
        (ValueError('no text'), True),
    ],
)
def test_only_known_noise_is_dropped(message: object, kept: bool) -> None:
    record = logging.LogRecord('x', logging.WARNING, 'x.py', 1, message, None, None)
    assert compat.DropKnownNoise().filter(record) == kept


class TestTorchvision:
    def test_missing_operators_are_declared_until_the_import_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        declared: list[str] = []

        def load(name: str) -> None:
            missing = [operator for operator in ('nms', 'roi_align') if operator not in declared]
            if missing:
                raise RuntimeError(f'operator torchvision::{missing[0]} does not exist')

        def define(schema: str) -> None:
            declared.append(schema.partition('(')[0])

        monkeypatch.setattr(compat.importlib, 'import_module', load)
        monkeypatch.setattr(compat, '_LIBRARIES', [])
        monkeypatch.setattr(torch.library, 'Library', lambda *_: SimpleNamespace(define=define))
        compat.import_torchvision()
        assert declared == ['nms', 'roi_align'] and len(compat._LIBRARIES) == 2

    @pytest.mark.parametrize('message', ['operator torchvision::nms does not exist', 'another fault'])
    def test_other_faults_stay_what_they_are(self, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(name: str) -> None:
            raise RuntimeError(message)

        monkeypatch.setattr(compat.importlib, 'import_module', fail)
        monkeypatch.setattr(torch.library, 'Library', lambda *_: SimpleNamespace(define=lambda _: None))
        monkeypatch.setattr(compat, '_LIBRARIES', [])
        with pytest.raises(RuntimeError, match=message):
            compat.import_torchvision()
        assert len(compat._LIBRARIES) <= 1
