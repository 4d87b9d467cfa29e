"""One pre-training step (forward and backward) against Hugging Face's VideoMAE.

    pip install -e .[benchmarks]
    python benchmarks/pretrain_step.py --arch small base --batch 2

Every candidate has a process of its own, ours with the environment of the commands of mmsigma; hf-sdpa-commands is
Hugging Face's in that environment. Peak memory is measured for one at a time: add ``--memory``. Where
a processor has no instructions for bfloat16, ``--amp`` has no effect, and candidates of that name are left out.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import torch
from common import compare_apart, machine, print_table, without_slow_bfloat16

from mmsigma.models.backbones.video_vit import ARCHITECTURES
from mmsigma.ops import split_tokens
from mmsigma.registry import MODELS

DECODERS = {'tiny': (192, 3), 'small': (192, 3), 'base': (384, 6), 'large': (512, 8), 'huge': (640, 10)}
OURS = ('ours-pixel', 'ours-mlp', 'ours-dino', 'ours-pixel-bf16', 'ours-mlp-bf16')
CANDIDATES = ('hf-eager', 'hf-sdpa', 'hf-sdpa-commands', *OURS)


def tube_mask(batch: int) -> torch.Tensor:
    frames = torch.stack([torch.randperm(196) < 176 for _ in range(batch)])
    return frames.repeat(1, 8)


def our_model(arch: str, target: str) -> torch.nn.Module:
    width, heads = DECODERS[arch]
    targets = {
        'pixel': (dict(type='PixelTarget'), dict(type='RegressionHead')),
        'mlp': (dict(type='MLPTarget'), dict(type='PrototypeHead', num_prototypes=3000)),
        'dino': (
            dict(type='FrozenEncoderTarget', weights='random'),
            dict(type='PrototypeHead', num_prototypes=3000),
        ),
    }
    target_cfg, head_cfg = targets[target]
    return MODELS.build(
        dict(
            type='mmsigma.SIGMA',
            backbone=dict(type='VideoVisionTransformer', arch=arch),
            neck=dict(type='MaskedVideoDecoder', embed_dims=width, num_heads=heads),
            target=target_cfg,
            head=head_cfg,
        )
    )


def hf_model(arch: str, attention: str) -> torch.nn.Module:
    from transformers import VideoMAEConfig, VideoMAEForPreTraining

    encoder, (width, heads) = ARCHITECTURES[arch], DECODERS[arch]
    config = VideoMAEConfig(
        hidden_size=encoder['embed_dims'],
        num_hidden_layers=encoder['depth'],
        num_attention_heads=encoder['num_heads'],
        intermediate_size=4 * encoder['embed_dims'],
        decoder_hidden_size=width,
        decoder_num_attention_heads=heads,
        decoder_num_hidden_layers=4,
        decoder_intermediate_size=4 * width,
        attn_implementation=attention,
    )
    return VideoMAEForPreTraining(config)


def make_step(name: str, arch: str, batch: int, compiled: bool) -> Callable[[], float]:
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(0)
    clips = torch.randn(batch, 3, 16, 224, 224, device=device)
    mask = tube_mask(batch).to(device)
    if name.startswith('hf'):
        model = hf_model(arch, name.split('-')[1]).to(device)
        clips = clips.transpose(1, 2).contiguous()

        def loss() -> torch.Tensor:
            return model(clips, bool_masked_pos=mask).loss
    else:
        model = our_model(arch, name.split('-')[1]).to(device)
        forward = torch.compile(model.loss) if compiled else model.loss

        def loss() -> torch.Tensor:
            return sum(value for key, value in forward(clips, split_tokens(mask)).items() if 'loss' in key)

    def step() -> float:
        model.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=name.endswith('bf16')):
            value = loss()
        value.backward()
        return value.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--arch', nargs='+', default=['small', 'base'], choices=list(DECODERS))
    parser.add_argument('--candidates', nargs='+', default=list(CANDIDATES), choices=CANDIDATES)
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--compile', action='store_true', help='compile our model')
    parser.add_argument('--memory', action='store_true', help='measure peak memory instead of time')
    args = parser.parse_args()
    args.candidates = without_slow_bfloat16(args.candidates)
    for arch in args.arch:
        if args.memory:
            for name in args.candidates:
                code = (
                    f'import pretrain_step as p; s = p.make_step({name!r}, {arch!r}, {args.batch}, False); '
                    'import common; base = common.peak_memory_mb(); s(); s(); '
                    f'print("  {name:<20}", round(common.peak_memory_mb() - base), "MB above the built model")'
                )
                subprocess.run([sys.executable, '-c', code], check=True, cwd=sys.path[0])
            continue
        makers = {name: partial(make_step, name, arch, args.batch, args.compile) for name in args.candidates}
        medians = compare_apart(makers, args.rounds, as_commands=('hf-sdpa-commands', *OURS))
        reference = 'hf-sdpa' if 'hf-sdpa' in medians else args.candidates[0]
        print_table(f'pre-training step, ViT-{arch}, {args.batch} clips of 16x224x224, {machine()}', medians, reference)
        if {'ours-pixel', 'ours-mlp'} <= medians.keys():
            print(f'  SIGMA-MLP / pixel step: {medians["ours-mlp"] / medians["ours-pixel"]:.2f}')


if __name__ == '__main__':
    main()
