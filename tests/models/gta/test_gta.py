"""GTA from frames to losses and embeddings."""

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.models import GTA
from mmsigma.models.gta.losses.video_group import VideoGroup

SMALL = dict(conv_channels=(8,), fc_channels=(8,), out_channels=6)


def small(**settings) -> GTA:
    torch.manual_seed(0)
    return GTA(dict(type='ResNetEncoder', out_stage=3), SMALL, **settings)


def samples(actions: str, steps: int = 6) -> list[BaseDataElement]:
    return [
        BaseDataElement(steps=torch.arange(steps), metainfo=dict(action=action, num_frames=steps, filename=f'v{i}'))
        for i, action in enumerate(actions)
    ]


def test_a_group_has_a_loss() -> None:
    model = small(train_mode='train_all')
    videos = [torch.randn(12, 3, 32, 32) for _ in range(3)]
    losses = model.loss(videos, samples('aaa'))
    assert {'loss_weights'} < losses.keys()
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert model.backbone.conv1.weight.grad.any() and all(p.grad is not None for p in model.neck.parameters())
    with pytest.raises(ValueError, match=r"videos of \['a', 'b'\] in one batch"):
        model.loss(videos, samples('aba'))


def test_the_order_of_labels_comes_from_the_samples() -> None:
    model = small(train_mode='train_all', head=dict(type='TranscriptHead', num_labels=3, in_channels=6))
    videos, given = [torch.randn(12, 3, 32, 32) for _ in range(2)], samples('aa')
    for sample, labels in zip(given, ([0, 2], [2, 1, 0]), strict=True):
        sample.set_field(torch.tensor(labels), 'transcript')
    losses = model.loss(videos, given)
    losses['loss_transcript'].backward()
    assert model.head.fc.weight.grad.any() and model.backbone.conv1.weight.grad.any()
    del given[1].transcript
    with pytest.raises(ValueError, match='v1 has no transcript'):
        model.loss(videos, given)


def test_times_and_the_penalty_reach_the_total() -> None:
    loss = dict(type='TCCLoss', kind='regression_mse', temperature=1e-3)
    model = small(head=dict(type='AlignmentHead', loss=loss)).eval()
    videos, given = [torch.randn(6, 3, 32, 32) for _ in range(2)], samples('aa', 3)
    steps, num_frames = torch.tensor([[3, 9, 20], [1, 2, 33]]), (40, 41)
    for sample, own, count in zip(given, steps, num_frames, strict=True):
        sample.steps = own
        sample.set_metainfo(dict(num_frames=count))
    embeddings = model.neck(model.backbone(torch.cat(videos))).view(2, 3, 6)
    found = model.loss(videos, given)
    direct, plain = (
        model.head.loss_module(VideoGroup(embeddings, **times))['loss_cycle']
        for times in (dict(steps=steps, num_frames=torch.tensor(num_frames)), {})
    )
    torch.testing.assert_close(found['loss_cycle'], direct)
    assert abs(direct - plain) > 0.1 * plain > 0  # without times it is another
    squares = [
        float(value.detach().square().sum()) for name, value in model.neck.named_parameters() if 'norms' not in name
    ]
    assert found['loss_weights'].item() == pytest.approx(1e-5 * sum(squares) / len(squares), rel=1e-5)
    assert set(found) == {'loss_cycle', 'loss_weights'}


def test_frames_that_the_head_cannot_take() -> None:
    videos, given = [torch.randn(12, 3, 32, 32) for _ in range(2)], samples('aa')
    with pytest.raises(ValueError, match=r'v0: frame 1 is no positive of frame 0.*sampling.positives \(TCN: 5\)'):
        small(head=dict(type='AlignmentHead', loss=dict(type='TCNLoss'))).loss(videos, given)
    given[1].steps = torch.tensor([0, 2, 4, 6, 9, 10])
    with pytest.raises(ValueError, match=r"v1: frames \[0, 2.* not at equal distances.*sampling.sampling='stride'"):
        small(head=dict(type='SpeedHead', in_channels=6)).loss(videos, given)


def test_what_is_trained() -> None:
    trained = {
        mode: {name for name, value in small(train_mode=mode).backbone.named_parameters() if value.requires_grad}
        for mode in ('train_all', 'only_bn', 'frozen')
    }
    assert trained['frozen'] == set() and 'conv1.weight' in trained['train_all']
    assert trained['only_bn'] and all('bn' in name or 'downsample.1' in name for name in trained['only_bn'])
    frozen = small(train_mode='frozen').train()
    assert frozen.training and not frozen.backbone.training and frozen.neck.training


@torch.no_grad()
def test_whole_videos_are_embedded_in_chunks() -> None:
    model = small(context_stride=4, chunk=5).eval()
    frames = torch.randn(13, 3, 32, 32)
    (embeddings,) = model([frames], samples('a', 13), mode='tensor')
    assert embeddings.shape == (13, 6)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(13))
    # step 7 is frames 3 and 7, and step 2 is frames 0 and 2
    for step, earlier in ((7, 3), (2, 0)):
        alone = model.neck(model.backbone(frames[[earlier, step]]))[0]
        torch.testing.assert_close(embeddings[step], alone, rtol=1e-4, atol=1e-5)
    (sample,) = model([frames], samples('a', 13), mode='predict')
    assert torch.equal(sample.embeddings, embeddings)


@pytest.mark.parametrize('num_context', [1, 2, 3])
@torch.no_grad()
def test_a_stream_is_encoded_once(num_context: int) -> None:
    torch.manual_seed(0)
    neck = dict(SMALL, num_context=num_context)
    model = GTA(dict(type='ResNetEncoder', out_stage=3), neck, context_stride=4).eval()
    frames, encoded = torch.randn(23, 3, 32, 32), []
    model.backbone.register_forward_hook(lambda module, given, out: encoded.append(len(given[0])))
    maps = model.backbone(frames)
    places = (torch.arange(23)[:, None] + torch.arange(-4 * (num_context - 1), 1, 4)).clamp(min=0)
    expected = model.neck.embed(maps[places.flatten()])
    encoded.clear()
    parts = list(model.embed_stream(iter(frames.split([1, 2, 9, 3, 8]))))
    assert encoded == [1, 2, 9, 3, 8] == [len(part.maps) for part in parts]
    for found, whole in zip(zip(*parts, strict=True), expected, strict=True):
        torch.testing.assert_close(torch.cat(found), whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.embed_video(frames), expected.embeddings, rtol=1e-4, atol=1e-5)


def test_embeddings_that_are_not_finite_are_named() -> None:
    model = small()
    videos = [torch.randn(12, 3, 32, 32) for _ in range(3)]
    videos[1][3] = torch.nan
    model.eval()  # in training the norms spread them to all videos
    with pytest.raises(ValueError, match='embeddings of v1 are not finite'):
        model.loss(videos, samples('aaa'))


@torch.no_grad()
def test_videos_shorter_than_their_context() -> None:
    model = small().eval()
    for length in (1, 3):
        frames = torch.randn(length, 3, 32, 32)
        (embeddings,) = model([frames])
        # all before a step is the first frame
        first = model.neck(model.backbone(frames[[0, 0]]))
        torch.testing.assert_close(embeddings[:1], first)
        assert embeddings.shape == (length, 6) and embeddings.isfinite().all()


def test_mode_of_the_model_is_that_of_the_backbone() -> None:
    backbone = dict(type='ResNet50V2Encoder', train_mode='frozen')
    model = GTA(backbone, train_mode='train_all')
    assert model.backbone.train_mode == 'train_all' and model.train().backbone.training
    assert model.backbone(torch.randn(1, 3, 32, 32)).requires_grad
