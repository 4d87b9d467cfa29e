"""Models as ONNX files: encoders of clips and classifiers, for any number of clips."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmsigma.apis.features import encoder_config
from mmsigma.apis.models import build_inference_model
from mmsigma.io.atomic import write_atomically

Output = Literal['scores', 'pooled', 'tokens']
OUTPUTS: tuple[Output, ...] = get_args(Output)
_LARGEST = 2**31 - 1  # bytes of a protocol buffer


class _Exported(nn.Module):
    """What the file computes: pixels are normalised, encoded and, for scores, classified."""

    mean: Tensor  # (C, 1, 1, 1)
    std: Tensor  # (C, 1, 1, 1)

    def __init__(self, model: Any, output: Output) -> None:
        super().__init__()
        self.backbone, self.output = model.backbone, output
        self.head = model.head if output == 'scores' else None
        self.register_buffer('mean', model.data_preprocessor.mean)
        self.register_buffer('std', model.data_preprocessor.std)

    def forward(self, clips: Tensor) -> Tensor:
        tokens: Tensor = self.backbone((clips.float() - self.mean) / self.std)
        if self.head is not None:
            logits: Tensor = self.head(tokens)
            return logits.sigmoid() if self.head.multi_label else logits.softmax(-1)
        return tokens.mean(dim=1) if self.output == 'pooled' else tokens


def export_onnx(
    cfg: Config,
    checkpoint: str | Path,
    path: str | Path,
    *,
    output: Output | None = None,
    classes: Sequence[str] = (),
    trust: bool = False,
) -> str:
    """Write the encoder or the classifier of a config as an ONNX file.

    Its input ``clips`` is uint8, ``(B, 3, T, H, W)`` with any B, RGB, of the size that the config tests on. Its output
    has the name of its kind: ``scores`` ``(B, C)``, probabilities; ``pooled`` ``(B, D)``, the mean token; or ``tokens``
    ``(B, N, D)``. Mean token and tokens are what ``FeatureExtractor`` gives. The metadata have names of classes, as
    JSON, and what wrote the file.

    Args:
        cfg: Config of a classifier, or of pre-training, whose encoder is taken.
        checkpoint: Weights of any known origin.
        path: File to write.
        output: Kind of output; None for scores if there is a head, otherwise the mean token.
        classes: Names of the classes by label.
        trust: Whether the checkpoint may execute code while it is loaded.

    Returns:
        Description of what was written.

    Raises:
        ImportError: If onnx or onnxscript is not installed, or torch is older than 2.6.
        ValueError: If the model has no encoder of clips of one size, no head for scores, or other classes; or it has
            more than the 2 GB that an ONNX file holds.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint does not fit the model.
    """
    _require_packages()
    with_head = output in (None, 'scores')
    model: Any = build_inference_model(encoder_config(cfg), checkpoint, 'cpu', trust=trust, with_head=with_head)
    head, shape = getattr(model, 'head', None), getattr(model.backbone, 'input_shape', None)
    output = output or ('scores' if head is not None else 'pooled')
    if shape is None:
        raise ValueError(f'{cfg.filename}: model.backbone does not encode clips of one size, which ONNX files are for')
    if output == 'scores' and head is None:
        raise ValueError(f"{cfg.filename} has no head, so there are no scores: choose 'pooled' or 'tokens'")
    if classes and output == 'scores' and head is not None and len(classes) != head.num_classes:
        raise ValueError(f'there are {len(classes)} class names, but the model has {head.num_classes}')
    exported = _Exported(model, output).eval()
    size = sum(value.numel() * value.element_size() for value in exported.state_dict().values())
    if size > _LARGEST:
        raise ValueError(f'the model has {size / 1e9:.1f} GB, but an ONNX file holds 2: export it with --to folder')
    program = _trace(exported, shape, output)
    program.model.producer_name = 'mmsigma'
    if classes and output == 'scores':
        program.model.metadata_props['classes'] = json.dumps(list(classes))
    write_atomically(path, program.save)
    number = sum(parameter.numel() for parameter in exported.parameters())
    return f'{number:,} parameters in {path}: clips (B, {", ".join(map(str, shape))}), uint8 -> {output}'


def _trace(exported: nn.Module, shape: Sequence[int], output: Output) -> Any:
    # a batch of two, as torch would take a batch of one for constant
    clips = torch.zeros(2, *shape, dtype=torch.uint8)
    return torch.onnx.export(
        exported,
        (clips,),
        dynamo=True,
        input_names=['clips'],
        output_names=[output],
        dynamic_shapes={'clips': {0: torch.export.Dim('batch')}},
        verbose=False,
    )


def _require_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(f'ONNX files need {error.name}: pip install "mmsigma[onnx]"') from error
    if not hasattr(torch.export.Dim, 'DYNAMIC'):
        raise ImportError(f'ONNX files need torch 2.6 or newer, and this is {torch.__version__}')
