"""Runs leave scalars and pictures for TensorBoard."""

from pathlib import Path

import pytest

from mmsigma.apis.launch import build_runner
from tests.end_to_end.conftest import tiny


def test_event_files_of_tensorboard(demo_set: Path, tmp_path: Path) -> None:
    pytest.importorskip('tensorboard', reason='it is an extra')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = {'tracker': 'tensorboard', 'optim_wrapper.clip_grad': dict(max_norm=1e9), 'epochs': 2}
    options |= {'default_hooks.logger.interval': 1}
    runner = build_runner(tiny(demo_set, tmp_path, **options))
    runner.train()
    runner.visualizer.close()
    (events,) = tmp_path.rglob('events.out.tfevents.*')
    found = EventAccumulator(str(events))
    found.Reload()
    scalars, images = found.Tags()['scalars'], found.Tags()['images']
    assert {'loss', 'grad_norm', 'clips_per_second', 'lr', 'data_time'} <= set(scalars)
    loss = found.Scalars('loss')
    assert [event.step for event in loss] == list(range(1, 9)) and all(event.value > 0 for event in loss)
    assert all(event.value > 0 for event in found.Scalars('grad_norm'))
    assert {'inputs', 'prototypes', 'curves'} <= set(images)
