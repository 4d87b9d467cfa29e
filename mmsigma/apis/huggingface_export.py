"""Folders that ``from_pretrained`` of Hugging Face transformers loads, with a model card; their upload to the hub."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from safetensors.torch import save_file
from torch import Tensor

from mmsigma import __version__
from mmsigma.checkpoints.huggingface_names import to_huggingface
from mmsigma.io.atomic import write_atomically, write_text
from mmsigma.models.backbones.video_vit import ARCHITECTURES
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.registry import MODELS

_DECODER_HEAD_WIDTH = 64  # of all released decoders, from ViT-S's to ViT-H's


@dataclass(frozen=True)
class ClipGeometry:
    """What the parameters of a VideoMAE do not tell.

    Attributes:
        num_heads: Number of attention heads of the encoder.
        decoder_num_heads: Number of attention heads of the decoder.
        img_size: Height and width of a clip.
        num_frames: Number of frames of a clip.
        origin: Where this is known from, for people.
        mean: Mean of each channel that is subtracted, on the scale 0..255.
        std: Standard deviation of each channel by which is divided, on that scale.
    """

    num_heads: int
    decoder_num_heads: int
    img_size: tuple[int, int]
    num_frames: int
    origin: str
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


@dataclass(frozen=True)
class Provenance:
    """What a model card says of a model's origin; None for what is not known.

    Attributes:
        method: What the model is, in a line.
        source: Name of the file that was converted.
        sha256: Digest of that file.
        config: Config of the model.
        data: Data that it was trained on.
        licence: Licence of its weights.
    """

    method: str
    source: str
    sha256: str
    config: str | None = None
    data: str | None = None
    licence: str | None = None


def geometry_of(state: Mapping[str, Tensor], cfg: Config | None) -> ClipGeometry:
    """Find heads and clips of a VideoMAE: from its config, or from its width and depth if they are those of a release.

    Args:
        state: Parameters under our names.
        cfg: Config with the model, or None.

    Raises:
        ValueError: If neither tells, or the config is of another kind of model.
    """
    width, depth = _width(state, 'backbone.norm1'), _depth(state, 'backbone')
    decoder_width = _width(state, 'neck.norm1') if _depth(state, 'neck') else 0
    if cfg is None:
        known = {(arch['embed_dims'], arch['depth']): arch['num_heads'] for arch in ARCHITECTURES.values()}
        if (width, depth) not in known:
            raise ValueError(
                f'{depth} blocks of {width} channels are none of the releases, so that the number of heads and the '
                'size of the clips are not known: name the config of the model with --config'
            )
        heads = decoder_width // _DECODER_HEAD_WIDTH
        return ClipGeometry(known[width, depth], heads, (224, 224), 16, 'the releases; --config tells otherwise')
    settings = dict(cfg.model.get('backbone') or {})
    if settings.get('type') not in ('VideoVisionTransformer', 'mmsigma.VideoVisionTransformer'):
        raise ValueError(f'{cfg.filename}: model.backbone is no VideoVisionTransformer, which alone is like VideoMAE')
    backbone = MODELS.build(settings)
    if (backbone.embed_dims, len(backbone.blocks)) != (width, depth):
        raise ValueError(
            f'{cfg.filename} has {len(backbone.blocks)} blocks of {backbone.embed_dims} channels, but the checkpoint '
            f'{depth} of {width}: name its own config'
        )
    _, frames, *size = backbone.input_shape
    heads = (cfg.model.get('neck') or {}).get('num_heads', 6)  # MaskedVideoDecoder's default
    preprocessor = cfg.model.get('data_preprocessor') or {}
    normalisation = {name: tuple(preprocessor[name]) for name in ('mean', 'std') if name in preprocessor}
    attention = backbone.blocks[0].attn.num_heads
    return ClipGeometry(attention, heads, (size[0], size[1]), frames, 'its config', **normalisation)


def _width(state: Mapping[str, Tensor], norm: str) -> int:
    part, name = norm.split('.')
    return state[f'{part}.blocks.0.{name}.weight'].shape[0]


def _depth(state: Mapping[str, Tensor], part: str) -> int:
    return len({name.split('.')[2] for name in state if name.startswith(f'{part}.blocks.')})


def videomae_config(state: Mapping[str, Tensor], geometry: ClipGeometry, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of ``config.json``.

    Args:
        state: Parameters under our names.
        geometry: What they do not tell.
        classes: Names of the classes by label; empty for ``LABEL_0`` and so on.

    Raises:
        ValueError: If the clips are not square, or there are not as many names as classes.
    """
    height, width = geometry.img_size
    if height != width:
        raise ValueError(f'VideoMAE of transformers takes square clips, but the model takes {height} x {width}')
    _, channels, tubelet, patch, _ = state['backbone.patch_embed.proj.weight'].shape
    kind = 'VideoMAEForPreTraining' if _depth(state, 'neck') else 'VideoMAEModel'
    config: dict[str, Any] = dict(
        model_type='videomae',
        image_size=height,
        patch_size=patch,
        num_channels=channels,
        num_frames=geometry.num_frames,
        tubelet_size=tubelet,
        hidden_size=_width(state, 'backbone.norm1'),
        num_hidden_layers=_depth(state, 'backbone'),
        num_attention_heads=geometry.num_heads,
        intermediate_size=state['backbone.blocks.0.mlp.fc1.weight'].shape[0],
        hidden_act='gelu',
        layer_norm_eps=1e-6,
        qkv_bias=True,
        # their name for a model that normalises after pooling, or not at all
        use_mean_pooling='backbone.norm.weight' not in state,
    )
    if _depth(state, 'neck'):
        config |= dict(
            decoder_hidden_size=_width(state, 'neck.norm1'),
            decoder_num_hidden_layers=_depth(state, 'neck'),
            decoder_num_attention_heads=geometry.decoder_num_heads,
            decoder_intermediate_size=state['neck.blocks.0.mlp.fc1.weight'].shape[0],
            norm_pix_loss=True,
        )
    if 'head.fc.weight' in state:
        kind, number = 'VideoMAEForVideoClassification', state['head.fc.weight'].shape[0]
        if classes and len(classes) != number:
            raise ValueError(f'there are {len(classes)} class names, but the model has {number} classes')
        names = list(classes) or [f'LABEL_{label}' for label in range(number)]
        config |= dict(id2label=dict(enumerate(names)), label2id={name: label for label, name in enumerate(names)})
    return {'architectures': [kind], **config}


def preprocessor_config(size: int, geometry: ClipGeometry) -> dict[str, Any]:
    """Return the content of ``preprocessor_config.json``, in full: defaults of transformers change between versions."""
    return dict(
        image_processor_type='VideoMAEImageProcessor',
        do_resize=True,
        size=dict(shortest_edge=size),
        resample=2,  # bilinear
        do_center_crop=True,
        crop_size=dict(height=size, width=size),
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=[value / 255 for value in geometry.mean],
        image_std=[value / 255 for value in geometry.std],
    )


def model_card(config: Mapping[str, Any], about: Provenance) -> str:
    """Return the text of the folder's README, which says what is known of a model, and what is not."""
    kind = config['architectures'][0]
    clip = f'{config["num_frames"]} frames of {config["image_size"]} x {config["image_size"]} pixels'
    settings = f'```python\n{about.config.strip()}\n```' if about.config else 'Not known.'
    return f"""---
library_name: transformers
pipeline_tag: {'video-classification' if 'Classification' in kind else 'feature-extraction'}
license: {about.licence or 'unknown'}
tags: [video, videomae, mmsigma]
---

# {about.method}

```python
from transformers import {kind}

model = {kind}.from_pretrained('.')  # this folder, or the name of its repository
```

Clips `(B, T, C, H, W)` of {clip}, RGB, from 0 to 1, normalised by the mean and the deviation that
`preprocessor_config.json` gives.

| | |
|---|---|
| made from | `{about.source}`, SHA-256 `{about.sha256}`, by mmsigma {__version__} without changing any number |
| trained on | {about.data or 'not known'} |
| licence of the code | Apache-2.0 (mmsigma, transformers) |
| licence of these weights | {about.licence or 'not known: ask whoever trained them'} |
| licence of the data | not known to the converter: that of the data named above |
| results | not known: none were measured in the conversion |

## Config

{settings}
"""


def write_huggingface_folder(
    folder: str | Path,
    state: Mapping[str, Tensor],
    geometry: ClipGeometry,
    about: Provenance,
    classes: Sequence[str] = (),
) -> None:
    """Write ``config.json``, ``preprocessor_config.json``, ``README.md`` and ``model.safetensors``.

    Args:
        folder: Folder to write.
        state: Parameters under our names, complete.
        geometry: What they do not tell.
        about: Origin of the model, for its card.
        classes: Names of the classes by label.

    Raises:
        KeyError: If a parameter has no counterpart in VideoMAE of transformers, such as SIGMA's prototypes.
        ValueError: See :func:`videomae_config`.
    """
    theirs = {name: value.contiguous() for name, value in to_huggingface(dict(state)).items()}
    config = videomae_config(state, geometry, classes)
    texts = {
        'config.json': json.dumps(config, indent=2) + '\n',
        'preprocessor_config.json': json.dumps(preprocessor_config(config['image_size'], geometry), indent=2) + '\n',
        'README.md': model_card(config, about),
    }
    for name, text in texts.items():
        write_text(Path(folder) / name, text)
    # transformers requires the format in the metadata
    weights = Path(folder) / 'model.safetensors'
    write_atomically(weights, lambda name: save_file(theirs, name, metadata={'format': 'pt'}))


def push_folder(folder: str | Path, repository: str) -> str:
    """Upload a folder to the Hugging Face hub, to a repository that is private if it is new.

    Args:
        folder: Folder to upload.
        repository: Name of the repository, ``user/name``.

    Returns:
        Address of the repository.

    Raises:
        RuntimeError: If the hub cannot be reached, or refuses; the message says what to do.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of whichever library it uses

    api = HfApi()
    try:
        url = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=str(folder))
    except (HTTPError, OSError) as error:
        raise RuntimeError(
            f'{folder} is written, but {repository} was not uploaded ({str(error).strip().splitlines()[0]}): log in '
            f'with "hf auth login", then "hf upload {repository} {folder}"'
        ) from error
    return str(url)
