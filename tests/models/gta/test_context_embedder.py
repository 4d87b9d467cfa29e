"""GTA's frame encoder and embedder against the release, whose weights are drawn anew by their names."""

import zlib

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmsigma.checkpoints.gta_names import from_tensorflow, our_name
from mmsigma.models.backbones.resnet import ResNetEncoder
from mmsigma.models.backbones.resnet_v2 import ResNet50V2Encoder, set_train_mode
from mmsigma.models.gta.context_embedder import ContextEmbedder, stack_context
from mmsigma.models.gta.losses.gta import GTALoss
from mmsigma.models.gta.losses.video_group import VideoGroup
from tests.golden_gta import Case, checkpoint_map, load_case


def draw_weight(name: str, shape: list[int], seed: int) -> np.ndarray:
    """The recipe of the golden vectors."""
    drawn = np.random.RandomState(zlib.crc32(name.encode()) ^ seed).randn(*shape)
    return {
        'kernel': lambda: drawn * np.sqrt(2 / np.prod(shape[:-1])),
        'bias': lambda: 0.05 * drawn,
        'gamma': lambda: 1 + 0.1 * drawn,
        'beta': lambda: 0.1 * drawn,
        'moving_mean': lambda: 0.1 * drawn,
        'moving_variance': lambda: np.exp(0.2 * drawn),
    }[name.rpartition('/')[2]]().astype(np.float32)


@pytest.fixture(scope='module')
def state() -> dict[str, Tensor]:
    seed = load_case('encoder', 'trunk_eval').params['seed']
    entries = checkpoint_map().items()
    return from_tensorflow({key: draw_weight(entry['name'], entry['shape'], seed) for key, entry in entries})


def build(state: dict[str, Tensor], train_mode: str = 'train_all') -> nn.ModuleDict:
    model = nn.ModuleDict({'backbone': ResNet50V2Encoder(train_mode), 'neck': ContextEmbedder(dropout=0)})
    model.load_state_dict(state)
    return model


def images(case: Case) -> Tensor:
    drawn = np.random.RandomState(case.params['img_seed']).uniform(-1, 1, case.params['shape']).astype(np.float32)
    return torch.from_numpy(drawn).flatten(0, 1).permute(0, 3, 1, 2)


def embed(model: nn.ModuleDict, case: Case) -> Tensor:
    batch, num_steps = case.params['B'], case.params['T']
    return model['neck'](model['backbone'](images(case))).view(batch, num_steps, -1)


def test_embeddings(state: dict[str, Tensor]) -> None:
    case = load_case('encoder', 'embed_eval')
    model = build(state).eval()
    with torch.no_grad():
        torch.testing.assert_close(embed(model, case), case.tensor('embs'), rtol=0, atol=1e-5)


def test_training_step(state: dict[str, Tensor]) -> None:
    case = load_case('encoder', 'train_step')
    model = build(state)
    embs = embed(model, case)
    torch.testing.assert_close(embs.detach(), case.tensor('embs'), rtol=0, atol=2e-4)
    loss = sum(GTALoss(label_smoothing=case.params['label_smoothing'])(VideoGroup(embs)).values())
    penalty = model['neck'].weight_penalty(case.params['l2'])
    for found, name in ((loss, 'loss'), (penalty, 'reg'), (loss + penalty, 'total')):
        torch.testing.assert_close(found.detach(), case.tensor(name), rtol=1e-4, atol=0)
    (loss + penalty).backward()
    gradients = {name: value.grad for name, value in model.named_parameters()}
    buffers = dict(model.named_buffers())
    checked = 0
    for name, expected in case.arrays.items():
        key = name.removeprefix('grad|').removesuffix('_after').replace('|', '/')
        if name.startswith('grad|'):
            found = gradients[our_name(key)]
            error = (found - torch.from_numpy(expected)).norm() / np.linalg.norm(expected)
            assert error < 2e-2, name
        elif name.endswith('_after'):
            found = buffers[our_name(key)][: len(expected)]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6, err_msg=name)
        else:
            continue
        checked += 1
    assert checked == 11


def test_names(state: dict[str, Tensor]) -> None:
    assert len(checkpoint_map()) == 186
    own = build(state).state_dict()
    assert set(state) == set(own)
    for key, entry in checkpoint_map().items():
        assert our_name(key) == our_name(entry['name']), key
    variables = {key: np.zeros(entry['shape'], np.float32) for key, entry in checkpoint_map().items()}
    slots = {f'{key[:-27]}.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE': variables[key] for key in variables}
    shapes = {name: value.shape for name, value in from_tensorflow({**variables, **slots, 'save_counter': 0}).items()}
    assert shapes == {name: value.shape for name, value in own.items()}
    for unknown in ('cnn/base_model/layer_with_weights-99/kernel', 'emb/other/kernel', 'cnn/conv1_conv/slope'):
        with pytest.raises(KeyError, match='is not a variable of the GTA network'):
            our_name(unknown)


def counted(module: nn.Module) -> int:
    return sum(value.numel() for name, value in module.state_dict().items() if 'num_batches' not in name)


def test_sizes() -> None:
    trunk, neck = ResNet50V2Encoder(), ContextEmbedder()
    assert (counted(trunk), counted(neck)) == (5_209_600, 21_829_760)
    trained = [value for value in trunk.parameters() if value.requires_grad]
    norms = [m for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(trained) == 60 and sum(counted(norm) for norm in norms) == 31_488
    with torch.no_grad():
        maps = trunk(torch.zeros(2, 3, 224, 224))
    assert maps.shape == (2, 1024, 14, 14)


def test_context_stays_together() -> None:
    maps = torch.arange(6.0).view(6, 1, 1, 1)
    assert stack_context(maps, 2).flatten(1).tolist() == [[0, 1], [2, 3], [4, 5]]
    neck = ContextEmbedder(4, 3, conv_channels=(6, 5), fc_channels=(7,), out_channels=8).eval()
    maps = torch.randn(6, 4, 5, 5)
    both = neck.embed(maps)
    assert both.embeddings.shape == (2, 8) and both.maps.shape == (2, 5, 3, 5, 5)
    torch.testing.assert_close(both.embeddings.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(neck(maps[:3]), both.embeddings[:1], rtol=1e-5, atol=1e-6)
    longer = ContextEmbedder(4, 3, conv_channels=(6,), pool='mean', normalize=False).eval()(maps)
    assert (longer.norm(dim=1) - 1).abs().min() > 1e-3


def test_any_frame_encoder() -> None:
    encoder = ResNetEncoder(18, out_stage=3)
    neck = ContextEmbedder(encoder.embed_dims, conv_channels=(16,), fc_channels=(16,), out_channels=8)
    assert neck(encoder(torch.randn(6, 3, 32, 32))).shape == (3, 8)
    set_train_mode(encoder, 'only_bn')
    assert {name for name, value in encoder.named_parameters() if value.requires_grad} == {
        name for name, _ in encoder.named_parameters() if 'bn' in name or 'downsample.1' in name
    }


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match='train_mode must be one of'):
        ResNet50V2Encoder('bn')
    with pytest.raises(ValueError, match='num_blocks must be from 1 to 5'):
        ResNet50V2Encoder(num_blocks=6)
    with pytest.raises(ValueError, match='no norms to train'):
        set_train_mode(nn.Linear(2, 2), 'only_bn')
    with pytest.raises(ValueError, match='no multiple of the 2 of a step'):
        ContextEmbedder(4)(torch.zeros(3, 4, 2, 2))
    with pytest.raises(ValueError, match='pool must be one of'):
        ContextEmbedder(pool='attention')


def test_convolutions_begin_as_in_keras() -> None:
    torch.manual_seed(0)
    conv = ContextEmbedder(64, conv_channels=(128,), fc_channels=(), out_channels=2).convs[0]
    values = conv.weight.detach() / (2 / (64 * 27)) ** 0.5
    torch.testing.assert_close(values.std(), torch.tensor(1.0), rtol=0, atol=5e-3)
    assert 2.26 < values.abs().max() <= 2 / 0.8796  # two standard deviations of the uncut distribution
    inside = float((values.abs() < 1 / 0.8796).float().mean())  # one of them
    assert inside == pytest.approx(0.6827 / 0.9545, abs=5e-3) and not conv.bias.any()


def test_flattened_maps_know_where_something_is() -> None:
    torch.manual_seed(0)
    maps = torch.zeros(2, 1, 3, 4)
    maps[0, 0, 0, 0] = maps[1, 0, 2, 3] = 1
    settings = dict(in_channels=1, num_context=1, conv_channels=(), fc_channels=(), out_channels=5, normalize=False)
    pooled = ContextEmbedder(**settings).eval()(maps)
    torch.testing.assert_close(pooled[0], pooled[1])
    neck = ContextEmbedder(pool='flatten', map_size=(3, 4), **settings).eval()
    flat = neck(maps)
    torch.testing.assert_close(flat, neck.out.weight.T[[0, 11]] + neck.out.bias)
    two = ContextEmbedder(pool='flatten', map_size=(1, 1), **{**settings, 'in_channels': 2, 'num_context': 2}).eval()
    steps = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[:, :, None, None]  # channels of the older, then of the newer frame
    torch.testing.assert_close(two(steps), two.out(torch.tensor([[1.0, 2.0, 3.0, 4.0]])))
    with pytest.raises(ValueError, match=r'maps are \(4, 3\)'):
        neck(maps.transpose(2, 3))
    with pytest.raises(ValueError, match='needs map_size'):
        ContextEmbedder(pool='flatten')
