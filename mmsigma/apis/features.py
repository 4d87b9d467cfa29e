"""Extraction of the features of many videos with a frozen model."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.dist import barrier, get_rank, get_world_size
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmsigma.datasets.videos.tolerant_dataset import TolerantDataset
from mmsigma.datasets.videos.video_list import VIDEO_SUFFIXES
from mmsigma.io.feature_store import FeatureStore
from mmsigma.models import SIGMA
from mmsigma.registry import DATASETS, MODELS

Pooling = Literal['mean', 'tokens']


def extract_features(
    model: nn.Module,
    dataset_cfg: dict[str, Any],
    store: FeatureStore,
    *,
    places: Sequence[int] | None = None,
    pooling: Pooling = 'mean',
    batch_size: int = 8,
    num_workers: int = 4,
    amp: bool = False,
    dtype: torch.dtype = torch.float32,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, float]:
    """Compute the missing shards of a store, distributed over all ranks.

    Args:
        model: Model with ``backbone`` and ``data_preprocessor``, in evaluation mode.
        dataset_cfg: Config of the dataset; the views of a video are averaged.
        store: Store to fill.
        places: Numbers in the dataset of the videos of the store's last rows, before which no shard may be missing;
            None for all videos of the dataset.
        pooling: ``'mean'`` over tokens for ``(D,)`` per video, or ``'tokens'`` for ``(N, D)``.
        batch_size: Number of videos per step.
        num_workers: Number of worker processes that decode.
        amp: Whether to use bfloat16 autocast.
        dtype: Type of the stored features.
        progress: Function that is called with the number of finished videos of this rank and their total.

    Returns:
        ``videos``, ``failed``, ``seconds`` and ``data_wait``, the fraction of time spent waiting for videos.

    Raises:
        ValueError: If ``pooling`` is unknown.
    """
    _check_pooling(pooling)
    dataset = DATASETS.build({**dataset_cfg, 'test_mode': True})
    missing = store.missing_shards()
    barrier()  # before anything is written, so that all ranks see the same shards
    shards = missing[get_rank() :: get_world_size()]
    places = range(len(dataset)) if places is None else places
    first = store.num_videos - len(places)
    rows = {places[row - first]: row for shard in shards for row in store.rows(shard)}
    loader = DataLoader(TolerantDataset(dataset, [*rows]), batch_size, num_workers=num_workers, collate_fn=list)
    pending: dict[int, tuple[str, Any]] = {}
    waiting, failed, started = 0.0, 0, time.perf_counter()
    shards_left, mark = list(shards), time.perf_counter()
    for batch in loader:
        waiting += time.perf_counter() - mark
        readable = [item for item in batch if not item.reason]
        if readable:
            data = pseudo_collate([item.sample for item in readable])
            features = features_of(model, data, pooling, amp=amp).to('cpu', dtype)
            for item, row in zip(readable, features, strict=True):
                pending[rows[item.place]] = item.path, (row, _label(item.sample['data_samples']))
        for item in batch:
            if item.reason:
                failed += 1
                pending[rows[item.place]] = item.path, item.reason
        while shards_left and all(row in pending for row in store.rows(shards_left[0])):
            _write(store, shards_left.pop(0), pending)
        progress(len(rows) - sum(len(store.rows(s)) for s in shards_left) + len(pending), len(rows))
        mark = time.perf_counter()
    seconds = time.perf_counter() - started
    barrier()
    return dict(videos=len(rows), failed=failed, seconds=seconds, data_wait=waiting / max(seconds, 1e-9))


@torch.no_grad()
def features_of(model: nn.Module, data: dict[str, Any], pooling: Pooling = 'mean', *, amp: bool = False) -> Tensor:
    """Compute the features of a batch of samples.

    Args:
        model: Model with ``backbone`` and ``data_preprocessor``, in evaluation mode.
        data: Collated samples.
        pooling: ``'mean'`` over tokens and views, or ``'tokens'`` for all tokens of all views.
        amp: Whether to use bfloat16 autocast; otherwise, that of the caller counts, if any.

    Returns:
        Features, ``(B, D)`` for ``'mean'`` and ``(B, N, D)`` for ``'tokens'``.

    Raises:
        ValueError: If ``pooling`` is unknown.
    """
    _check_pooling(pooling)
    inputs: Tensor = model.get_submodule('data_preprocessor')(data, training=False)['inputs']
    num_views = inputs.shape[1] if inputs.ndim == 6 else 1
    clips = inputs.flatten(0, 1) if inputs.ndim == 6 else inputs
    with torch.autocast(inputs.device.type, torch.bfloat16) if amp else nullcontext():
        tokens: Tensor = model.get_submodule('backbone')(clips)
    tokens = tokens.float().unflatten(0, (-1, num_views))
    return tokens.mean(dim=(1, 2)) if pooling == 'mean' else tokens.flatten(1, 2)


def _check_pooling(pooling: Pooling) -> None:
    if pooling not in ('mean', 'tokens'):
        raise ValueError(f"pooling must be 'mean' or 'tokens', got {pooling!r}")


def _label(sample: Any) -> int:
    """Return the label of a sample, or -1 if it has none or several."""
    label = sample.get('gt_label')
    return int(label) if label is not None and label.numel() == 1 else -1


def _write(store: FeatureStore, shard: int, pending: dict[int, tuple[str, Any]]) -> None:
    """Write a shard and drop its videos from ``pending``, which has paths with features and label, or a reason."""
    rows = [pending.pop(row) for row in store.rows(shard)]
    good = [(path, *value) for path, value in rows if not isinstance(value, str)]
    failed = [(path, reason) for path, reason in rows if isinstance(reason, str)]
    features = torch.stack([row for _, row, _ in good]) if good else torch.empty(0)
    labels = torch.tensor([label for *_, label in good], dtype=torch.long)
    store.write(shard, features, labels, [path for path, *_ in good], failed)


def encoder_config(cfg: Config) -> Config:
    """Return a config for features: itself, or, for one of pre-training, that of its encoder, as those of configs/knn.

    The encoder is without the final norm, like that of configs/knn. If there is no ``test_dataloader``, the videos are
    those of ``train_dataloader``: one clip from the middle of each, of as many frames as the encoder has, at the stride
    of training, from the centre of the frames.

    Raises:
        ValueError: If the model has no encoder of clips, or the training pipeline does not tell how clips are read.
    """
    check_extractable(cfg)
    if not issubclass(MODELS.get(cfg.model.type), SIGMA):
        return cfg
    backbone, preprocessor = dict(cfg.model.backbone), cfg.model.get('data_preprocessor') or {}
    if backbone['type'] == 'VideoVisionTransformer':
        backbone['final_norm'] = False
    values = {key: preprocessor[key] for key in ('mean', 'std') if key in preprocessor}
    model = dict(
        type='VideoClassifier', backbone=backbone, data_preprocessor=dict(type='VideoDataPreprocessor', **values)
    )
    found = Config(
        {key: value for key, value in cfg.items() if key != 'model'} | dict(model=model), filename=cfg.filename
    )
    if not cfg.get('test_dataloader'):
        dataset = {**cfg.train_dataloader['dataset'], 'pipeline': _centre_clip(cfg)}
        found.test_dataloader = dict(dataset=dataset)
    return found


def _centre_clip(cfg: Config) -> list[dict[str, Any]]:
    """Return the pipeline of a clip from the middle of a video, as a training pipeline reads it."""
    step = next((step for step in cfg.train_dataloader['dataset']['pipeline'] if step['type'] == 'ReadClip'), None)
    if step is None:
        raise ValueError(
            f'{cfg.filename} has no test_dataloader, and its training pipeline no ReadClip: add the former'
        )
    sampling = step['sampling'] if isinstance(step['sampling'], list) else [step['sampling']]
    backbone = cfg.model.backbone  # with the defaults of VideoVisionTransformer
    clip_len = backbone.get('num_frames', 16)
    interval = next((one['frame_interval'] for one in sampling if 'frame_interval' in one), 1)
    return [
        dict(
            type='ReadClip',
            decoder=step.get('decoder', 'auto'),
            sampling=dict(type='SampleDenseViews', clip_len=clip_len, frame_interval=interval, num_clips=1),
        ),
        dict(type='CropViews', size=backbone.get('img_size', 224)),
        dict(type='PackVideoInputs'),
    ]


def check_extractable(cfg: Config) -> None:
    """Check that the model of a config has features of whole videos.

    Raises:
        ValueError: If it embeds or segments single frames; the message names the tool for that.
    """
    kind = MODELS.get(cfg.model.type)
    if hasattr(kind, 'embed_stream'):
        raise ValueError(
            f'model.type: {cfg.model.type} embeds every frame of a video instead of the whole: get the embeddings '
            '(frames, dimensions) of a video from mmsigma.VideoAligner(config, weights).embed(video), or align two '
            'with demo/align_demo.py'
        )
    if hasattr(kind, 'new_inference_core') or hasattr(kind, 'predict_video'):
        raise ValueError(
            f'model.type: {cfg.model.type} propagates the masks or points of a first frame and has no features of '
            'videos: segment with mmsigma.VideoSegmenter or demo/vos_demo.py'
        )


def dataset_of(cfg: Config, videos: str | Path | None, split: str = 'test') -> dict[str, Any]:
    """Return the config of the videos to extract: that of a config's dataloader, or one for another list or folder.

    Args:
        cfg: Config with the dataloader, whose pipeline is used in any case.
        videos: Video list or folder of videos; None for those of the dataloader.
        split: Name of the dataloader, without ``_dataloader``.

    Raises:
        FileNotFoundError: If ``videos`` does not exist.
        ValueError: If the config has no such dataloader, or ``videos`` is a single video.
    """
    loader = cfg.get(f'{split}_dataloader') or {}
    if not loader and split == 'bank':
        loader = cfg.get('test_cfg', {}).get('bank_dataloader') or {}
    if not loader:
        raise ValueError(f'the config has no {split}_dataloader to take the pipeline from')
    dataset = dict(loader['dataset'])
    if videos is not None:
        videos = Path(videos)
        if not videos.exists():
            raise FileNotFoundError(f'neither a list nor a folder of videos at {videos}')
        is_list = videos.is_file()
        if is_list and videos.suffix.lower() in VIDEO_SUFFIXES:
            raise ValueError(f'{videos} is a video: give a folder of videos, or a list')
        dataset.update(
            data_root=str(videos.parent if is_list else videos),
            ann_file=videos.name if is_list else '',
            data_prefix=dict(video=''),
        )
        for key in ('label_range', 'subset'):  # they apply to the config's own list
            dataset.pop(key, None)
    return dataset
