"""Which clips the hook draws, when, and that drawing changes nothing."""

import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.logging import HistoryBuffer
from mmengine.visualization import LocalVisBackend
from torch.utils.data import IterableDataset

from mmsigma.datasets import SeededIndex
from mmsigma.engine.hooks import PicturesHook
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.visualization.labelled_grid import Row, labelled_grid
from tests.engine.fakes import FakeRunner
from tests.models.conftest import build_sigma
from tests.test_config_files import CONFIGS, RUNNABLE


class Clips:
    """20 clips, each of noise of its own, that remember which were asked for."""

    def __init__(self) -> None:
        self.seen: list[SeededIndex] = []

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: SeededIndex) -> dict:
        self.seen.append(index)
        generator = torch.Generator().manual_seed(int(index))
        sample = ActionDataSample()
        sample.set_field(torch.arange(32) % 4 > 0, 'mask')
        sample.set_metainfo(dict(filename=f'clip_{int(index)}.mp4', mask_grid=(2, 4, 4), avg_fps=25.0))
        clip = torch.randint(256, (3, 4, 32, 32), dtype=torch.uint8, generator=generator)
        return dict(inputs=clip, data_samples=sample)


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    model = build_sigma('mlp')
    model.data_preprocessor = MODELS.build(dict(type='VideoDataPreprocessor'))
    return model


def run_of(model: torch.nn.Module, folder: Path, **others) -> FakeRunner:
    history = {'train/loss': HistoryBuffer([2.0, 1.0], [1, 1]), 'val/acc': HistoryBuffer([1.0], [1])}
    loader = SimpleNamespace(dataset=Clips())
    hub = SimpleNamespace(log_scalars=history)
    return FakeRunner(model=model, log_dir=str(folder), train_dataloader=loader, message_hub=hub, **others)


def test_the_same_clips_in_every_epoch(model: torch.nn.Module, tmp_path: Path) -> None:
    runner = run_of(model, tmp_path)
    for epoch in range(2):
        runner.epoch = epoch
        PicturesHook(num_clips=3, num_prototypes=2).draw(runner, tmp_path / str(epoch))
    drawn = [(int(index), index.seed) for index in runner.train_dataloader.dataset.seen]
    assert drawn[:3] == [(0, (0, 0, 0)), (6, (0, 0, 6)), (12, (0, 0, 12))] and drawn[3:] == drawn[:3]
    names = {'inputs.png', 'prototypes.png', 'curves.png'}
    assert {path.name for path in (tmp_path / '0').iterdir()} == names
    for name in names:
        first, second = (cv2.imread(str(tmp_path / epoch / name)) for epoch in ('0', '1'))
        assert np.array_equal(first, second) and first.std() > 1


def test_few_clips_are_all_drawn(model: torch.nn.Module, tmp_path: Path) -> None:
    runner = run_of(model, tmp_path)
    PicturesHook(num_clips=50).draw(runner, tmp_path)
    assert [int(index) for index in runner.train_dataloader.dataset.seen] == list(range(20))


def test_rows_say_what_they_are(model: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[Row]] = []
    grid = labelled_grid
    monkeypatch.setattr(
        'mmsigma.engine.hooks.pictures.labelled_grid', lambda rows, **others: drawn.append(rows) or grid(rows, **others)
    )
    PicturesHook(num_clips=4, num_prototypes=1).draw(run_of(model, tmp_path), tmp_path)
    masked, prototypes = drawn
    assert [row.title for row in masked] == [  # half of the clips
        'clip_0.mp4: input',
        'clip_0.mp4: visible to the encoder: 24 of 32 tokens masked',
        'clip_5.mp4: input',
        'clip_5.mp4: visible to the encoder: 24 of 32 tokens masked',
    ]
    assert len(prototypes) == 1 and re.fullmatch(r'prototype \d+: \d+ of 32 tubes, clip_\d+\.mp4', prototypes[0].title)
    for row in (*masked, *prototypes):
        assert row.captions == ['0 · 0.00 s', '1 · 0.04 s', '2 · 0.08 s', '3 · 0.12 s']


def test_model_stays_as_it_was(model: torch.nn.Module, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    PicturesHook().draw(run_of(model, tmp_path), tmp_path)
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_models_without_prototypes_have_no_picture_of_them(model: torch.nn.Module, tmp_path: Path) -> None:
    model.head = MODELS.build(dict(type='RegressionHead'))
    PicturesHook().draw(run_of(model, tmp_path), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {'inputs.png', 'curves.png'}


@pytest.mark.parametrize('packed', [torch.zeros(3), dict(inputs=torch.zeros(3), data_samples=ActionDataSample())])
def test_samples_of_an_unknown_kind_are_not_drawn(packed: object, model: torch.nn.Module, tmp_path: Path) -> None:
    del model.head
    runner = run_of(model, tmp_path)
    runner.train_dataloader.dataset = [packed] * 3
    PicturesHook().draw(runner, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['curves.png']
    assert len(runner.warnings) == 1 and 'inputs.png is not drawn' in runner.warnings[0]


def test_a_stream_is_not_drawn(model: torch.nn.Module, tmp_path: Path) -> None:
    class Stream(IterableDataset):
        def __iter__(self):
            yield from ()

    runner = run_of(model, tmp_path)
    runner.train_dataloader.dataset = Stream()
    PicturesHook().draw(runner, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['curves.png'] and len(runner.warnings) == 1


@pytest.mark.parametrize(('epoch', 'drawn'), [(0, False), (3, False), (4, True), (5, False), (9, True), (10, True)])
def test_at_intervals_and_at_the_end(
    epoch: int, drawn: bool, model: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    monkeypatch.setattr(PicturesHook, 'draw', lambda self, runner, folder: folders.append(folder))
    PicturesHook(interval=5).after_train_epoch(run_of(model, tmp_path, epoch=epoch, max_epochs=11))
    assert folders == ([tmp_path / 'pictures'] if drawn else [])


def test_trackers_get_the_pictures(model: torch.nn.Module, tmp_path: Path) -> None:
    sent: dict[str, tuple[np.ndarray, int]] = {}
    tracker = SimpleNamespace(add_image=lambda name, image, step: sent.update({name: (image, step)}))
    local = LocalVisBackend(str(tmp_path / 'vis'))
    runner = run_of(
        model,
        tmp_path,
        epoch=0,
        iter=7,
        max_epochs=1,
        visualizer=SimpleNamespace(_vis_backends=dict(a=tracker, b=local)),
    )
    PicturesHook(num_clips=2).after_train_epoch(runner)
    assert sent.keys() == {'inputs', 'prototypes', 'curves'}
    for name, (image, step) in sent.items():
        written = cv2.imread(str(tmp_path / 'pictures' / f'{name}.png'))[..., ::-1]
        assert step == 7 and np.array_equal(image, written)
    assert not (tmp_path / 'vis').exists()


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_training_has_pictures(path: Path) -> None:
    cfg = load_config(path)
    number = [hook['type'] for hook in cfg.get('custom_hooks', [])].count('PicturesHook')
    assert number == 1 or 'train_dataloader' not in cfg
