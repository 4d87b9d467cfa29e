"""ONNX files: the numbers of the models, for any number of clips."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmsigma.apis import onnx_export
from mmsigma.apis.features import features_of
from mmsigma.apis.onnx_export import export_onnx
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.utils.config import load_config
from tests.checkpoints.small_models import ARCH, CLASSES, SIZES, classifier, shake

NAMES = list('abcde')


@pytest.fixture(autouse=True)
def _packages() -> None:
    for name in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(name)


def config(folder: Path, **head: Any) -> Config:
    backbone = dict(type='VideoVisionTransformer', arch=ARCH, final_norm=False, **SIZES)
    kind = dict(type='ClassificationHead', num_classes=CLASSES, **head)
    path = folder / 'small.py'
    path.write_text(
        f"default_scope = 'mmsigma'\nmodel = {dict(type='VideoClassifier', backbone=backbone, head=kind)}\n"
    )
    return load_config(path)


@pytest.fixture
def model(tmp_path: Path) -> nn.Module:
    model = shake(classifier())
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'small.pth')
    return model


def run(path: Path, clips: torch.Tensor) -> tuple[str, torch.Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    (output,) = session.get_outputs()
    (values,) = session.run(None, {'clips': clips.numpy()})
    return output.name, torch.from_numpy(values)


def pixels(number: int) -> torch.Tensor:
    return torch.randint(0, 256, (number, 3, 4, 32, 32), dtype=torch.uint8)


@pytest.mark.slow
@torch.no_grad()
def test_scores(model: nn.Module, tmp_path: Path) -> None:
    text = export_onnx(config(tmp_path), tmp_path / 'small.pth', tmp_path / 'x.onnx', classes=NAMES)
    number = sum(value.numel() for value in model.state_dict().values())
    assert f'{tmp_path / "x.onnx"}: clips (B, 3, 4, 32, 32), uint8 -> scores' in text
    assert number <= int(text.split()[0].replace(',', '')) < number + 2000  # with positions, which are no parameters
    for clips in (pixels(1), pixels(2), pixels(5)):
        normalised = model.data_preprocessor(dict(inputs=list(clips), data_samples=[]))['inputs']
        name, scores = run(tmp_path / 'x.onnx', clips)
        assert name == 'scores'
        torch.testing.assert_close(scores, model(normalised).softmax(-1), atol=1e-4, rtol=1e-4)
    import onnx

    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / 'x.onnx').metadata_props}
    assert json.loads(metadata['classes']) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize(('output', 'pooling'), [('pooled', 'mean'), ('tokens', 'tokens')])
def test_features(model: nn.Module, output: Any, pooling: Any, tmp_path: Path) -> None:
    export_onnx(config(tmp_path), tmp_path / 'small.pth', tmp_path / 'x.onnx', output=output)
    clips = pixels(3)
    name, features = run(tmp_path / 'x.onnx', clips)
    assert name == output
    expected = features_of(model, dict(inputs=list(clips), data_samples=[]), pooling)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_pretraining_gives_its_encoder(run_tool: Callable[..., Any], tmp_path: Path, repository: Path) -> None:
    cfg = load_config(repository / 'configs/demo/sigma_tiny_demo_mlp.py')
    from mmsigma.apis.features import encoder_config
    from mmsigma.registry import MODELS

    encoder = shake(MODELS.build(encoder_config(cfg).model))
    # a run on labelled videos knows their names, which an encoder has no use for
    names = dict(dataset_meta=dict(classes=['a', 'b']))
    torch.save({'state_dict': encoder.state_dict(), 'meta': names}, tmp_path / 'sigma.pth')
    done = run_tool(
        'tools/model_converters/export.py',
        *(tmp_path / 'sigma.pth', tmp_path / 'x.onnx', '--to', 'onnx'),
        *('--config', repository / 'configs/demo/sigma_tiny_demo_mlp.py'),
    )
    assert done.status == 0 and done.output.endswith('uint8 -> pooled\n'), done.errors
    number = sum(parameter.numel() for parameter in encoder.parameters())
    assert done.output.splitlines()[-1].startswith(f'{number:,} parameters in ')
    clips = torch.randint(0, 256, (2, *encoder.backbone.input_shape), dtype=torch.uint8)
    expected = features_of(encoder, dict(inputs=list(clips), data_samples=[]))
    np.testing.assert_allclose(run(tmp_path / 'x.onnx', clips)[1], expected, atol=1e-4, rtol=1e-4)


def test_what_is_refused(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg, path = config(tmp_path), tmp_path / 'x.onnx'
    with pytest.raises(ValueError, match='there are 1 class names, but the model has 5'):
        export_onnx(cfg, tmp_path / 'small.pth', path, classes=['alone'])
    torch.save({'state_dict': {'backbone.' + k: v for k, v in model.backbone.state_dict().items()}}, tmp_path / 'b.pth')
    with pytest.raises(CheckpointError, match=r"missing 4 \['head\.fc"):
        export_onnx(cfg, tmp_path / 'b.pth', path)
    monkeypatch.setattr(onnx_export, '_LARGEST', 10_000)
    with pytest.raises(ValueError, match='the model has 0.0 GB, but an ONNX file holds 2: export it with --to folder'):
        export_onnx(cfg, tmp_path / 'small.pth', path)
    monkeypatch.setattr(onnx_export, '_LARGEST', 2**31)
    cfg.model.head = None
    with pytest.raises(ValueError, match="has no head, so there are no scores: choose 'pooled' or 'tokens'"):
        export_onnx(cfg, tmp_path / 'b.pth', path, output='scores')
    assert not path.exists()


def test_packages_are_named(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__('sys').modules, 'onnxscript', None)
    with pytest.raises(ImportError, match=r'pip install "mmsigma\[onnx\]"'):
        export_onnx(config(tmp_path), tmp_path / 'small.pth', tmp_path / 'x.onnx')
