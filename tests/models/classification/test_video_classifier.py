"""Classifiers: views, frozen backbones, labels."""

import re

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmsigma.checkpoints.io import load_into_model
from mmsigma.models import RepetitionCountingModel, VideoClassificationModel, VideoDataPreprocessor
from mmsigma.registry import MODELS

TINY = dict(embed_dims=24, depth=2, num_heads=2)
BACKBONE = dict(type='VideoVisionTransformer', arch=TINY, img_size=16, num_frames=4, patch_size=8, final_norm=False)


def classifier(**settings) -> torch.nn.Module:
    backbone = BACKBONE | settings.pop('backbone', {})
    head = dict(type='ClassificationHead', num_classes=5, init_scale=1.0) | settings.pop('head', {})
    return MODELS.build(dict(type='VideoClassifier', backbone=backbone, head=head, **settings))


def samples(*labels: int) -> list[ActionDataSample]:
    return [ActionDataSample().set_gt_label(label) for label in labels]


def test_official_fine_tuning_model(golden) -> None:
    vectors = golden('finetune')
    config = vectors.entry['config']
    arch = dict(embed_dims=config['embed_dim'], depth=config['depth'], num_heads=config['num_heads'])
    sizes = dict(img_size=config['img_size'], num_frames=config['frames'], patch_size=config['patch_size'])
    model = classifier(backbone=dict(arch=arch, **sizes), head=dict(num_classes=config['classes']))
    load_into_model(model, vectors.tensors('sd/'), origin='golden', allow_missing=False)
    model.eval()
    tensors = vectors.tensors('')
    tokens = model.backbone(tensors['in/clip'])
    vectors.assert_close(tokens, 'out/tokens_last_block')
    vectors.assert_close(model.head.pool(tokens), 'out/pooled_after_fc_norm')
    vectors.assert_close(model(tensors['in/clip']), 'out/logits')
    loss = model(tensors['in/clip'], samples(*tensors['in/target'].tolist()), mode='loss')['loss']
    vectors.assert_close(loss, 'out/cross_entropy')
    loss.backward()
    norms = {
        re.sub(r'^head\.(?=fc_norm)|^backbone\.', '', name).replace('head.fc.', 'head.'): float(value.grad.norm())
        for name, value in model.named_parameters()
    }
    assert norms == pytest.approx(vectors.entry['grad_l2_norms'], rel=1e-4, abs=1e-9)


class TestClassifier:
    def test_views_are_averaged(self) -> None:
        model = classifier().eval()
        views = torch.randn(2, 3, 3, 4, 16, 16)
        out = model(views, samples(0, 1), mode='predict')
        for video, sample in zip(views, out, strict=True):
            torch.testing.assert_close(sample.pred_score, model(video).softmax(dim=1).mean(dim=0))
            torch.testing.assert_close(sample.mean_features, model.backbone(video).mean(dim=(0, 1)))
            assert sample.pred_label.item() == sample.pred_score.argmax().item()

    @pytest.mark.parametrize('views_per_forward', [1, 4, 100])
    def test_views_in_parts(self, views_per_forward: int) -> None:
        torch.manual_seed(0)
        whole = classifier().eval()
        torch.manual_seed(0)
        parts = classifier(views_per_forward=views_per_forward).eval()
        views = torch.randn(2, 3, 3, 4, 16, 16)
        torch.testing.assert_close(parts(views), whole(views), atol=1e-5, rtol=1e-4)

    def test_frozen_backbone(self) -> None:
        model = classifier(freeze_backbone=True, backbone=dict(drop_path_rate=0.5)).train()
        assert model.head.training and not model.backbone.training
        model(torch.randn(2, 3, 4, 16, 16), samples(0, 1), mode='loss')['loss'].backward()
        assert all(parameter.grad is None for parameter in model.backbone.parameters())
        assert all(parameter.grad is not None for parameter in model.head.parameters())
        released = classifier(freeze_backbone=True, frozen_backbone_mode='train').train()
        assert released.backbone.training

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = classifier().train()
        model(torch.randn(2, 3, 4, 16, 16), samples(0, 1), mode='loss')['loss'].backward()
        assert all(parameter.grad.any() for parameter in model.parameters())

    def test_without_head(self) -> None:
        model = MODELS.build(dict(type='VideoClassifier', backbone=BACKBONE))
        (sample,) = model.eval()(torch.randn(1, 3, 4, 16, 16), samples(0), mode='predict')
        assert sample.mean_features.shape == (24,) and 'pred_score' not in sample

    def test_samples_without_label(self) -> None:
        with pytest.raises(ValueError, match='1 samples have no label'):
            classifier()(torch.randn(1, 3, 4, 16, 16), [ActionDataSample()], mode='loss')

    @pytest.mark.parametrize('mixing', [None, dict(mixup_alpha=0.8, num_classes=5)])
    @pytest.mark.parametrize('label', [5, -2])
    def test_labels_out_of_range(self, mixing: dict | None, label: int) -> None:
        model = classifier(data_preprocessor=dict(type='VideoDataPreprocessor', mixing=mixing))
        batch = samples(0, label)
        batch[1].set_metainfo(dict(filename='a.mp4'))
        clips = [torch.zeros(3, 4, 16, 16, dtype=torch.uint8)] * 2
        with pytest.raises(ValueError, match=rf'a\.mp4 has label {label}, but .* is 5: labels count from 0.*\(1, 5\)'):
            model.data_preprocessor({'inputs': clips, 'data_samples': batch}, training=True)

    def test_mixing_without_labels(self) -> None:
        preprocess = VideoDataPreprocessor(mixing=dict(num_classes=5))
        batch = [*samples(0), ActionDataSample(metainfo=dict(filename='a.mp4'))]
        clips = [torch.zeros(3, 4, 16, 16, dtype=torch.uint8)] * 2
        with pytest.raises(ValueError, match=r"1 samples have no label, \['a\.mp4'\] among them: mixing needs"):
            preprocess({'inputs': clips, 'data_samples': batch}, training=True)

    def test_mixing_for_another_number_of_classes(self) -> None:
        mixing = dict(type='VideoDataPreprocessor', mixing=dict(num_classes=4))
        with pytest.raises(ValueError, match=r'mixing\.num_classes is 4 and model\.head\.num_classes 5'):
            classifier(data_preprocessor=mixing)

    def test_bad_settings(self) -> None:
        with pytest.raises(ValueError, match='frozen_backbone_mode'):
            classifier(frozen_backbone_mode='half')
        with pytest.raises(ValueError, match='mode must be'):
            classifier()(torch.randn(1, 3, 4, 16, 16), mode='features')


def test_both_names_in_configs() -> None:
    assert MODELS.get('VideoClassifier') is MODELS.get('VideoClassificationModel') is VideoClassificationModel
    assert MODELS.get('RepetitionCounter') is MODELS.get('RepetitionCountingModel') is RepetitionCountingModel
