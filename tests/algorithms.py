"""Small instances of every algorithm with a batch as the loader gives it, for tests on other devices.

A case builds a model and the batches that it is trained and tested with; everything is drawn from the global generator.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

import mmsigma.models  # noqa: F401  # fills the registry
from mmsigma.datasets.transforms.formatting import PackVideoInputs, PinnedElement, VideoSample
from mmsigma.datasets.transforms.masking import TubeMask
from mmsigma.ops.repetition import cycle_labels
from mmsigma.registry import MODELS
from tests.vos_data import draw_video

Batch = dict[str, Any]
TINY = dict(embed_dims=32, depth=2, num_heads=2)
VIT = dict(type='VideoVisionTransformer', arch=TINY, img_size=32, num_frames=4, patch_size=8)
DINO_VIT = dict(model_kwargs=dict(patch_size=8, embed_dim=24, depth=1, num_heads=2), weights='random', img_size=32)


class Case(NamedTuple):
    """An algorithm.

    Attributes:
        model: Config of the model.
        train: Function that draws a batch to train with; None if it is not trained.
        test: Function that draws a batch to test with; None if it is not tested.
        metric: Config of the metric of its test; None if there is none.
    """

    model: dict[str, Any]
    train: Callable[[], Batch] | None = None
    test: Callable[[], Batch] | None = None
    metric: dict[str, Any] | None = None

    def build(self) -> nn.Module:
        """Build the model with the weights of seed 0."""
        torch.manual_seed(0)
        np.random.seed(0)
        return MODELS.build(self.model)


def total(losses: dict[str, Any]) -> Tensor:
    """Add up all losses."""
    return sum(value for name, value in losses.items() if 'loss' in name)


def pixels(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def masked_clips() -> Batch:
    pack, draw = PackVideoInputs(), TubeMask((2, 4, 4), 0.75)
    packed = [
        pack(draw(dict(imgs=pixels(4, 32, 32, 3).numpy(), filename=f'{number}.mp4', frame_inds=np.arange(4))))
        for number in range(4)
    ]
    return {key: [one[key] for one in packed] for key in packed[0]}


def labelled_clips() -> Batch:
    samples = [VideoSample().set_gt_label(number % 3) for number in range(4)]
    return {'inputs': [pixels(3, 4, 32, 32) for _ in samples], 'data_samples': samples}


def views() -> Batch:
    batch = labelled_clips()
    return {**batch, 'inputs': [pixels(2, 3, 4, 32, 32) for _ in batch['inputs']]}


def repetitions() -> Batch:
    videos, samples = [], []
    for length in (40, 61):
        following, previous = cycle_labels([*range(0, length, 10)])
        sample = VideoSample(gt_count=3, metainfo=dict(filename=f'{length}.mp4'))
        for name, labels in (('previous_labels', previous), ('next_labels', following)):
            padded = torch.full((length,), -1)
            padded[: len(labels)] = torch.from_numpy(labels)
            sample.set_field(padded, name)
        samples.append(sample)
        videos.append(pixels(3, length, 16, 16))
    return {'inputs': videos, 'data_samples': samples}


def crops() -> Batch:
    images, small = ([pixels(count, 3, side, side) for _ in range(2)] for count, side in ((2, 32), (3, 16)))
    return {'inputs': {'images': images, 'views': small}, 'data_samples': [PinnedElement() for _ in images]}


def clip_views() -> Batch:
    mask = torch.zeros(3, 64, 64, dtype=torch.uint8)
    mask[:, 8:40, 8:40], mask[:, 40:, 40:] = 1, 2
    metainfo = dict(view_centre=(30.0, 33.0), view_zoom=1.2, view_flip=False)
    samples = [PinnedElement(pseudo_mask=part, metainfo=metainfo) for part in (mask, mask[:0])]
    inputs = {name: [pixels(3, 3, 64, 64) for _ in samples] for name in ('images', 'views')}
    return {'inputs': inputs, 'data_samples': samples}


def alignment() -> Batch:
    samples = []
    for number in range(3):
        metainfo = dict(action='jump', num_frames=12, filename=f'{number}.mp4', subset='train' if number < 2 else 'val')
        sample = BaseDataElement(steps=torch.arange(6), metainfo=metainfo)
        sample.set_field(torch.tensor([0, 2, 1]), 'transcript')
        sample.set_field(torch.arange(12) // 5, 'frame_labels')
        samples.append(sample)
    return {'inputs': [pixels(12, 3, 32, 32) for _ in samples], 'data_samples': samples}


class DrawnVideo:
    """Two squares that move, as the sequences of the datasets."""

    name, frames, object_ids = 'squares', range(5), (1, 2)

    def __init__(self) -> None:
        self.images, self.masks = draw_video(5, 2)

    def read_frame(self, number: int) -> np.ndarray:
        image: np.ndarray = self.images[number]
        return image

    given = (0,)

    def read_mask(self, number: int) -> np.ndarray:
        mask: np.ndarray = self.masks[number]
        return mask

    def read_joints(self) -> np.ndarray:
        first = np.array([[10, 6], [20, 20], [5, 31], [30.5, 12.4]])
        return np.stack([first + (number, 0) for number in range(5)])


def video() -> Batch:
    return {'inputs': [DrawnVideo()], 'data_samples': [BaseDataElement()]}


def segmented_clips() -> Batch:
    masks = torch.tensor([0, 1], dtype=torch.uint8).repeat(32).view(8, 8).expand(4, 8, 8)
    samples = []
    for number in range(2):
        sample = BaseDataElement(metainfo=dict(video_name=str(number), frame_inds=list(range(4))))
        sample.set_data({'gt_masks': masks})
        samples.append(sample)
    return {'inputs': [pixels(3, 4, 32, 32) for _ in samples], 'data_samples': samples}


def _sigma(target: dict[str, Any], head: dict[str, Any]) -> Case:
    neck = dict(type='MaskedVideoDecoder', embed_dims=16, depth=1, num_heads=2)
    return Case(dict(type='SIGMA', backbone=VIT, neck=neck, target=target, head=head), masked_clips, masked_clips)


def _mask_vos(scheme: str | None, backbone: dict[str, Any] | None = None, *, masks: bool = False) -> Case:
    parts = dict(mask_encoder=dict(type='FrameMaskEncoder', fused=False), decoder=dict(type='MaskDecoder'))
    backbone = backbone or dict(type='KeyEncoder', depth=18, skips=masks)
    correspondence = dict(type=scheme) if scheme else None
    given = dict(type='MaskVOS', backbone=backbone, correspondence=correspondence, **(parts if masks else {}))
    preprocessor = dict(type='ClipViewsPreprocessor')
    return Case({**given, 'data_preprocessor': preprocessor}, clip_views, video if masks else None)


def _gta(head: dict[str, Any]) -> Case:
    neck = dict(conv_channels=(8,), fc_channels=(8,), out_channels=6)
    backbone = dict(type='ResNetEncoder', out_stage=3)
    preprocessor = dict(type='AlignmentPreprocessor', size=32)
    model = dict(type='GTA', backbone=backbone, neck=neck, head=head, train_mode='train_all')
    return Case({**model, 'data_preprocessor': preprocessor}, alignment, alignment, dict(type='AlignmentMetric'))


MLP = dict(type='MLPTarget', hidden_channels=[32], out_channels=16, patch_size=8)
TEACHER = dict(type='FrozenEncoderTarget', grid=(4, 4), **DINO_VIT)
PROTOTYPES = dict(type='PrototypeHead', num_prototypes=[6, 20])
SOFT = dict(type='PrototypeHead', num_prototypes=6, loss=dict(type='SwappedAssignmentLoss', hard_labels=False))
PROPAGATION = dict(similarity='euclidean', temperature=0.01, num_context=3, k=3, radius=4)
COLOUR = dict(backbone=dict(type='ColourEncoder', stride=4), geometry=dict(mean=(0, 0, 0), std=(255, 255, 255)))
CLUSTERING = dict(num_clusters=('gt', 3), seeds=(0, 1), size=8, num_components=4, num_restarts=1)

CASES: dict[str, Case] = {
    'SIGMA with pixels': _sigma(dict(type='PixelTarget', patch_size=8), dict(type='RegressionHead')),
    'SIGMA with an MLP': _sigma(MLP, PROTOTYPES),
    'SIGMA with soft codes': _sigma(MLP, SOFT),
    'SIGMA with a frozen encoder': _sigma(TEACHER, PROTOTYPES),
    'regressed MLP': _sigma(MLP, dict(type='RegressionHead')),
    'classifier': Case(
        dict(
            type='VideoClassifier',
            backbone=dict(VIT, final_norm=False),
            head=dict(type='ClassificationHead', num_classes=3),
            data_preprocessor=dict(
                type='VideoDataPreprocessor',
                erasing=dict(probability=1.0, mode='pixel'),
                mixing=dict(num_classes=3, mixup_alpha=0.8, cutmix_alpha=1.0),
            ),
        ),
        labelled_clips,
        views,
        dict(type='AccuracyMetric'),
    ),
    'attentive classifier': Case(
        dict(
            type='VideoClassifier',
            backbone=dict(VIT, final_norm=False),
            head=dict(type='AttentiveHead', num_classes=3, num_heads=2),
        ),
        labelled_clips,
        views,
        dict(type='AccuracyMetric'),
    ),
    'repetition counter': Case(
        dict(
            type='RepetitionCounter',
            backbone=dict(VIT, img_size=16, num_frames=32, final_norm=False),
            head=dict(type='CountingHead'),
        ),
        repetitions,
        repetitions,
        dict(type='CountingErrorMetric'),
    ),
    'DINO': Case(
        dict(
            type='DINO',
            backbone=dict(type='ResNetEncoder', depth=18),
            head=dict(num_prototypes=16, hidden_channels=8, bottleneck_channels=4),
            data_preprocessor=dict(type='ClipViewsPreprocessor'),
        ),
        crops,
    ),
    'anchors': _mask_vos('AnchorCorrespondence'),
    'short and long term': _mask_vos('ShortLongCorrespondence', masks=True),
    'masks alone': _mask_vos(None, masks=True),
    'random walk': _mask_vos('RandomWalkCorrespondence', dict(type='KeyEncoder', depth=18, skips=False)),
    'photometric': _mask_vos('PhotometricCorrespondence', dict(type='MASTKeyEncoder')),
    **{
        name: _gta(dict(type='AlignmentHead', loss=dict(type=name)))
        for name in ('GTALoss', 'D2TWLoss', 'SoftDTWLoss', 'LAVLoss', 'TCCLoss')
    },
    'TranscriptHead': _gta(dict(type='TranscriptHead', num_labels=3, in_channels=6)),
    'OrderHead': _gta(dict(type='OrderHead', in_channels=6)),
    'SpeedHead': _gta(dict(type='SpeedHead', in_channels=6)),
    'label propagation': Case(dict(type='LabelPropagation', propagator=PROPAGATION, **COLOUR), None, video),
    'MAST propagation': Case(
        dict(
            type='LabelPropagation',
            backbone=dict(type='ResNetEncoder', depth=18),
            propagator=dict(type='MASTPropagator', radius=2),
        ),
        None,
        video,
    ),
    'key points': Case(dict(type='KeypointPropagation', propagator=PROPAGATION, **COLOUR), None, video),
    'clustered features': Case(
        dict(
            type='FeatureClustering',
            backbone=VIT,
            clustering=CLUSTERING,
        ),
        None,
        segmented_clips,
        dict(type='UnsupervisedSegmentationMetric', clustering=CLUSTERING),
    ),
}
