"""The models of the app, and what it says about them."""

from pathlib import Path

import pytest
import torch

from mmsigma.app.settings import Chosen, Models, Settings
from mmsigma.utils.config import load_config

COLOUR, GTA = 'mmsigma::vos/colour', 'mmsigma::demo/gta_tiny_demo'


def test_initial_weights_are_said_and_always_the_same(tmp_path: Path) -> None:
    weights = []
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        models = Models(Settings(device='cpu'), tmp_path / name)
        weights.append(models.aligner.model.state_dict())
        assert models.aligner is models.aligner
        assert '**Initial weights** of `mmsigma::demo/gta_tiny_demo`' in models.describe('align')
        assert 'mmsigma app --align CONFIG CHECKPOINT' in models.describe('align')
    assert all(torch.equal(weights[1][key], value) for key, value in weights[0].items())
    assert len(list((tmp_path / 'a').iterdir())) == 1


def test_weights_that_are_given(tmp_path: Path) -> None:
    own = Models(Settings(device='cpu'), tmp_path)
    path = tmp_path / 'gta.pth'
    state = {key: value + 1 for key, value in own.aligner.model.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    given = Models(Settings(align=Chosen(GTA, str(path)), device='cpu'), tmp_path)
    assert given.describe('align') == f'Config `{GTA}`, weights `gta.pth`'
    assert all(torch.equal(state[key], value) for key, value in given.aligner.model.state_dict().items())
    (tmp_path / 'run').mkdir()
    path = tmp_path / 'run' / 'epoch_1.pth'
    torch.save(dict(state_dict=state, meta=dict(cfg=load_config(GTA).pretty_text)), path)
    of_run = Models(Settings(align=Chosen(str(path)), device='cpu'), tmp_path)
    assert of_run.describe('align') == 'GTA of `run/epoch_1.pth`'
    assert all(torch.equal(state[key], value) for key, value in of_run.aligner.model.state_dict().items())


def test_colours_are_no_network(tmp_path: Path) -> None:
    text = Models(Settings(segment=Chosen(COLOUR)), tmp_path).describe('segment')
    assert '**No trained network**: objects are followed by their colours alone' in text
    for name in ('mmsigma::vos/dino_vits8', 'mmsigma::vos/resnet10t'):
        text = Models(Settings(segment=Chosen(name)), tmp_path).describe('segment')
        assert text == f'Config `{name}` and its weights'


def test_segmentation_begins_with_a_trained_network(tmp_path: Path) -> None:
    segmenter = Models(Settings(device='cpu'), tmp_path).segmenter
    assert Path(segmenter.weights).name == 'resnet10t.safetensors'
    assert '**' not in Models(Settings(), tmp_path).describe('segment')


def test_weights_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='there is no checkpoint none.pth'):
        Models(Settings(align=Chosen(GTA, 'none.pth')), tmp_path).describe('align')
