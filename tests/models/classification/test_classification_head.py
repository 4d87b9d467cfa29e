"""Fine-tuning: parity with the official model, heads, views, freezing, and augmentation of batches."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.structures import ActionDataSample

from mmsigma.evaluation.classification.accuracy import topk_correct
from mmsigma.models import AttentiveHead, ClassificationHead, VideoDataPreprocessor
from tests.golden_evaluation import load_case


def samples(*labels: int) -> list[ActionDataSample]:
    return [ActionDataSample().set_gt_label(label) for label in labels]


@pytest.mark.parametrize('name', ['view_averaging', 'view_merge'])
def test_official_merging_of_views(golden, name: str) -> None:
    if name == 'view_merge':
        arrays = golden(name).arrays
        scores = ClassificationHead(4, 5).scores(torch.from_numpy(arrays['logits']))
        assert scores.argmax(dim=1).tolist() == arrays['pred'].tolist()
        labels, expected = torch.from_numpy(arrays['labels']).long(), arrays
    else:
        case = load_case(name)
        scores = ClassificationHead(4, 8).scores(case.tensor('in_logits'))
        torch.testing.assert_close(scores, case.tensor('out_probability'), atol=case.tolerance['probability'], rtol=0)
        labels = case.tensor('in_labels').long()
        expected = {'top1': case.arrays['out_top1'], 'top5': case.arrays['out_top5']}
    for k in (1, 5):
        correct = topk_correct(scores, labels, k).double()
        found = correct if name == 'view_merge' else 100 * correct.mean()  # of each video, or of all in percent
        np.testing.assert_allclose(found, expected[f'top{k}'], rtol=0, atol=1e-9)


def test_several_labels_merge_by_their_largest_score() -> None:
    case = load_case('charades_map')
    scores = case.tensor('in_view_scores').double()  # (V, B, C), after the sigmoid
    head = ClassificationHead(4, scores.shape[-1], multi_label=True)
    merged = head.scores(torch.logit(scores, eps=1e-12).transpose(0, 1))
    torch.testing.assert_close(merged, scores.amax(dim=0), atol=1e-7, rtol=0)


class TestHead:
    def test_starts_near_zero(self) -> None:
        head = ClassificationHead(400, 300)
        assert head.fc.weight.std().item() == pytest.approx(2e-5, rel=0.02)
        assert head.fc.weight.abs().max() > 4e-5 and not head.fc.bias.any()

    @pytest.mark.parametrize(
        ('norm', 'trained'),
        [('layer', 4), ('layer_plain', 2), ('batch_plain', 2), ('none', 2)],
    )
    def test_norms(self, norm: str, trained: int) -> None:
        head = ClassificationHead(6, 3, norm=norm)
        assert len(list(head.parameters())) == trained
        tokens = torch.randn(4, 5, 6) * 3 + 1
        pooled = head.pool(tokens)
        mean = tokens.mean(dim=1)
        expected = {
            'layer': F.layer_norm(mean, (6,), eps=1e-6),
            'layer_plain': F.layer_norm(mean, (6,), eps=1e-6),
            'batch_plain': (mean - mean.mean(0)) / mean.var(0, unbiased=False).sqrt(),
            'none': mean,
        }[norm]
        torch.testing.assert_close(pooled, expected, atol=1e-4, rtol=1e-4)

    def test_smoothing_of_hard_and_mixed_labels(self) -> None:
        head = ClassificationHead(6, 4, init_scale=1.0, label_smoothing=0.1)
        tokens = torch.randn(3, 5, 6)
        hard, log_probs = torch.tensor([0, 3, 1]), head(tokens).log_softmax(dim=1)
        smooth = F.one_hot(hard, 4) * 0.9 + 0.1 / 4
        expected = -(smooth * log_probs).sum(dim=1).mean()
        torch.testing.assert_close(head.loss(tokens, hard)['loss'], expected)
        torch.testing.assert_close(head.loss(tokens, F.one_hot(hard, 4).float())['loss'], expected)
        assert head.loss(tokens, log_probs.argmax(dim=1))['top1'] == 1

    def test_bad_settings(self) -> None:
        with pytest.raises(ValueError, match='norm must be'):
            ClassificationHead(6, 3, norm='group')
        with pytest.raises(ValueError, match='no multi_label'):
            ClassificationHead(6, 3, multi_label=True, label_smoothing=0.1)
        with pytest.raises(ValueError, match='in_channels 6 is not divisible by num_heads 4'):
            AttentiveHead(6, 3, num_heads=4)


class TestAugmentationOfBatches:
    def batch(self, number: int) -> dict:
        clips = [torch.full((3, 2, 32, 32), 20 * index, dtype=torch.uint8) for index in range(number)]
        return {'inputs': clips, 'data_samples': samples(*range(number))}

    def test_mixup_shares_pixels_and_labels_alike(self) -> None:
        np.random.seed(0)
        mixing = dict(mixup_alpha=0.8, cutmix_alpha=0.0, num_classes=6)
        preprocess = VideoDataPreprocessor(mean=[0, 0, 0], std=[1, 1, 1], mixing=mixing)
        out = preprocess(self.batch(4), training=True)
        shares = torch.stack([sample.gt_label for sample in out['data_samples']])
        assert shares.shape == (4, 6) and 0.01 < shares[0, 0] < 0.99
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(4))
        expected = shares[:, :4] @ (20.0 * torch.arange(4))
        torch.testing.assert_close(out['inputs'].mean(dim=(1, 2, 3, 4)), expected, atol=1e-3, rtol=1e-4)

    def test_cutmix_shares_by_area_and_cuts_all_frames_alike(self) -> None:
        np.random.seed(3)
        mixing = dict(mixup_alpha=0.0, cutmix_alpha=1.0, num_classes=6)
        preprocess = VideoDataPreprocessor(mean=[0, 0, 0], std=[1, 1, 1], mixing=mixing)
        out = preprocess(self.batch(2), training=True)
        first = out['inputs'][0]
        assert torch.equal(first, first[:1, :1].expand_as(first))
        share = (first[0, 0] == 20).float().mean()
        assert 0 < share < 1
        torch.testing.assert_close(out['data_samples'][0].gt_label[1], share)

    def test_erasing_takes_the_same_box_out_of_all_frames(self) -> None:
        random.seed(0)
        preprocess = VideoDataPreprocessor(erasing=dict(probability=1.0, mode='pixel'))
        clip = preprocess({'inputs': [torch.zeros(3, 4, 32, 32, dtype=torch.uint8)]}, training=True)['inputs'][0]
        background = preprocess({'inputs': [torch.zeros(3, 4, 32, 32, dtype=torch.uint8)]})['inputs'][0]
        erased = clip != background
        assert 0.02 < erased.float().mean() < 0.34
        assert torch.equal(erased, erased[:1, :1].expand_as(erased))
        assert not torch.equal(clip[:, 0], clip[:, 1])

    def test_only_in_training(self) -> None:
        settings = dict(erasing=dict(probability=1.0), mixing=dict(num_classes=6))
        plain, augmenting = VideoDataPreprocessor(), VideoDataPreprocessor(**settings)
        assert torch.equal(augmenting(self.batch(2))['inputs'], plain(self.batch(2))['inputs'])

    def test_odd_batches_cannot_be_mixed(self) -> None:
        with pytest.raises(ValueError, match='must be even, got 3'):
            VideoDataPreprocessor(mixing=dict(num_classes=6))(self.batch(3), training=True)

    def test_several_views(self) -> None:
        views = torch.randint(256, (2, 3, 3, 2, 4, 4), dtype=torch.uint8)
        out = VideoDataPreprocessor()({'inputs': list(views)})['inputs']
        torch.testing.assert_close(out[:, 1], VideoDataPreprocessor()({'inputs': list(views[:, 1])})['inputs'])
