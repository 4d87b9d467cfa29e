"""What frozen features of an encoder are worth: probes on UT-Interaction, label propagation and segmentation on DAVIS.

All functions take an encoder of clips or of frames, in evaluation mode, and return numbers that JSON can hold. Probes
are tested in ten folds: fold k holds sequences k and k + 10, so that every clip is tested once and nobody is seen in
training. Settings of a probe are the same for all folds and all encoders; where the best of a sweep is reported, all
are beside it.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.datasets import SegmentationClipDataset
from mmsigma.datasets.transforms.sampling import SampleDenseViews
from mmsigma.datasets.videos.video_list import read_entries
from mmsigma.evaluation import UnsupervisedSegmentationMetric
from mmsigma.evaluation.classification.knn import knn_accuracy
from mmsigma.evaluation.classification.probes import LinearProbe, train_probes
from mmsigma.evaluation.vos.davis import score_sequence, summarize
from mmsigma.io.atomic import write_atomically
from mmsigma.io.video import read_frames
from mmsigma.models import AttentiveHead, FeatureClustering, LabelPropagation, VideoDataPreprocessor
from mmsigma.models.interfaces import sees_clips
from mmsigma.models.propagation.label_propagation import segment_video

FOLDS = 10
CLASSES = 6
LINEAR_LRS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)


class LabelledClips(NamedTuple):
    """Clips of UT-Interaction.

    Attributes:
        inputs: Frames ``(N, V, 3, T, S, S)``, uint8, of V views.
        labels: Classes ``(N,)``.
        folds: Fold in which a clip is tested, ``(N,)``.
    """

    inputs: Tensor
    labels: Tensor
    folds: Tensor


def ut_interaction(
    root: str | Path, cache: str | Path, *, size: int, num_frames: int, frame_interval: int, views: int
) -> LabelledClips:
    """Read UT-Interaction, each clip as equally spaced views of its whole frames; ``cache`` is a folder for these."""
    kept = Path(cache, f'ut_interaction_{size}_{num_frames}x{frame_interval}_{views}.pth')
    if kept.exists():
        return LabelledClips(*torch.load(kept))
    clips = _read_clips(root, size, SampleDenseViews(num_frames, frame_interval, views))
    write_atomically(kept, lambda name: torch.save(tuple(clips), name))
    return clips


def _read_clips(root: str | Path, size: int, sampler: SampleDenseViews) -> LabelledClips:
    inputs, labels, folds = [], [], []
    for entry in read_entries(Path(root, 'list.txt'), Path(root)):
        frames = torch.from_numpy(read_frames(Path(root, entry.path))).movedim(-1, 1)
        resized = F.interpolate(frames, size=(size, size), mode='bilinear', antialias=True)
        inputs.append(resized[torch.from_numpy(sampler.frames(len(frames)))].transpose(1, 2))
        labels.append(entry.label)
        (sequence,) = re.findall(r'_(\d+)_\d+\.', entry.path)
        folds.append((int(sequence) - 1) % FOLDS)
    return LabelledClips(torch.stack(inputs), torch.tensor(labels), torch.tensor(folds))


@torch.no_grad()
def layers_of(encoder: Any, clips: Tensor, batch_size: int = 16) -> dict[str, Tensor]:
    """Tokens ``(N, V * M, D)`` of clips ``(N, V, 3, T, H, W)``, of every second block of a video transformer, too.

    Tokens of the M places of a view are its output, ``'out'``; tokens of blocks, ``'block 2'``, are their mean alone.
    """
    preprocess, found = VideoDataPreprocessor(), dict[str, list[Tensor]]()
    hooks = [
        block.register_forward_hook(_keep(found, f'block {number}'))
        for number, block in enumerate(getattr(encoder, 'blocks', ()), start=1)
        if number % 2 == 0
    ]
    views = clips.flatten(0, 1)
    for part in views.split(batch_size):
        inputs = preprocess({'inputs': part})['inputs']
        if sees_clips(encoder):
            tokens = encoder(inputs)
        else:
            tokens = encoder(inputs.transpose(1, 2).flatten(0, 1)).flatten(2).transpose(1, 2)
            tokens = tokens.unflatten(0, (len(part), -1)).flatten(1, 2)
        found.setdefault('out', []).append(tokens)
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(parts).unflatten(0, clips.shape[:2]).flatten(1, 2) for name, parts in found.items()}


def _keep(found: dict[str, list[Tensor]], name: str) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        found.setdefault(name, []).append(output.mean(dim=1, keepdim=True))

    return hook


def probe(clips: LabelledClips, layers: dict[str, Tensor], *, seed: int = 0, attentive: bool = True) -> dict[str, Any]:
    """Accuracies in percent of a linear probe and neighbours on mean tokens, and an attentive probe on all of them."""
    scores: dict[str, Any] = {}
    for name, tokens in layers.items():
        scores[f'linear, {name}'] = _linear(clips, tokens.mean(dim=1), seed)
    pooled = layers['out'].mean(dim=1)
    for k in (1, 5, 10):
        scores[f'kNN {k}'] = _each_fold(clips, pooled, lambda train, val, k=k: _knn(train, val, k))
    if attentive:
        scores['attentive'] = _each_fold(clips, layers['out'], lambda train, val: _attentive(train, val, seed))
    return scores


Part = tuple[Tensor, Tensor]


def _each_fold(clips: LabelledClips, features: Tensor, test: Callable[[Part, Part], float]) -> dict[str, Any]:
    folds = []
    for fold in range(FOLDS):
        held = clips.folds == fold
        parts = [(features[rows], clips.labels[rows]) for rows in (~held, held)]
        folds.append((test(*parts), int(held.sum())))
    total = sum(count for _, count in folds)
    return dict(accuracy=sum(value * count for value, count in folds) / total, folds=[value for value, _ in folds])


def _linear(clips: LabelledClips, features: Tensor, seed: int) -> dict[str, Any]:
    """Linear probes of several learning rates; the best of all folds together is the accuracy."""
    width, rows = features.shape[1], []

    def test(train: Part, val: Part) -> float:
        try:
            results = train_probes(
                lambda: LinearProbe(width, CLASSES, 'batch'), train, val, lrs=LINEAR_LRS, epochs=60, seed=seed
            )
        except ValueError:  # all features are equal: they say nothing
            rows.append([100 / CLASSES] * len(LINEAR_LRS))
            return 0.0
        rows.append([result.top1 for result in results])
        return 0.0

    _each_fold(clips, features, test)
    sizes = torch.bincount(clips.folds, minlength=FOLDS).double()
    table = torch.tensor(rows).double()  # (folds, learning rates)
    means = (table * sizes[:, None]).sum(dim=0) / sizes.sum()
    best = int(means.argmax())
    by_rate = {f'{lr:g}': round(value, 2) for lr, value in zip(LINEAR_LRS, means.tolist(), strict=True)}
    return dict(accuracy=float(means[best]), lr=LINEAR_LRS[best], of_lrs=by_rate, folds=table[:, best].tolist())


def _knn(train: Part, val: Part, k: int) -> float:
    mean, std = train[0].mean(dim=0), train[0].std(dim=0) + 1e-6
    bank, queries = ((features - mean) / std for features, _ in (train, val))
    try:
        return knn_accuracy(bank, train[1], queries, val[1], k=(k,))[f'knn{k}_top1']
    except ValueError:  # all features are equal
        return 100 / CLASSES


def _attentive(train: Part, val: Part, seed: int) -> float:
    width = train[0].shape[-1]
    (result,) = train_probes(
        lambda: AttentiveHead(width, CLASSES, num_heads=max(1, width // 64), depth=1),
        train,
        val,
        lrs=(1e-3,),
        epochs=20,
        batch_size=32,
        seed=seed,
    )
    return result.top1


@torch.no_grad()
def propagation(encoder: dict[str, Any], state: dict[str, Tensor] | None, sequences: Sequence[Any], size: Any) -> Any:
    """J&F, J and F in percent of label propagation, of all sequences and of each."""
    model = LabelPropagation(
        encoder, geometry=dict(size=size), propagator=dict(num_context=7, k=5, temperature=0.1, radius=6)
    ).eval()
    _load(model.backbone, state)
    return segmented(model, sequences)


@torch.no_grad()
def segmented(model: Any, sequences: Sequence[Any]) -> dict[str, dict[str, float]]:
    """J&F, J and F in percent of a model that segments videos, of all sequences and of each."""
    scores, everything = {}, []
    for sequence in sequences:
        truth = (sequence.read_mask(number) for number in range(len(sequence.frames)))
        statistics = score_sequence(segment_video(model.new_inference_core(), sequence), truth).statistics()
        scores[sequence.name] = _percent(summarize(statistics))
        everything += statistics
    return {'all': _percent(summarize(everything)), **scores}


def _percent(summary: dict[str, float]) -> dict[str, float]:
    return {name: round(100 * float(summary[name]), 2) for name in ('J&F', 'J_mean', 'F_mean')}


@torch.no_grad()
def segmentation(encoder: dict[str, Any], state: dict[str, Tensor] | None, davis: dict[str, Any], frames: int) -> Any:
    """mIoU in percent of unsupervised segmentation, with as many clusters as objects, and with 6 and 10."""
    clustering = dict(num_clusters=('gt', 6, 10), seeds=(0, 1, 2), level='clip', size=28, num_components=50)
    dataset = SegmentationClipDataset('davis', num_frames=frames, img_size=224, mask_size=28, **davis)
    model = FeatureClustering(encoder, clustering=clustering).eval()
    _load(model.backbone, state)
    metric = UnsupervisedSegmentationMetric(clustering=clustering)
    for clip in dataset:
        sample = clip['data_samples']
        inputs = model.data_preprocessor({'inputs': [clip['inputs']], 'data_samples': [sample]})['inputs']
        (sample,) = model.predict(inputs, [sample])
        metric.process({}, [sample.to_dict()])
    return {name: round(float(value), 2) for name, value in metric.evaluate(len(dataset)).items()}


def _load(encoder: nn.Module, state: dict[str, Tensor] | None) -> None:
    if state is not None:
        encoder.load_state_dict(state)
