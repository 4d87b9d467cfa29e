"""One fine-tuning step and a multi-view test against Hugging Face's VideoMAE classifier.

    pip install -e .[benchmarks]
    python benchmarks/finetune_step.py --arch small base --batch 2 --views 6

The step is forward and backward of 16-frame clips with all 1568 tokens; the test is the forward pass of all views of
one video. Every candidate has a process of its own, ours with the environment of the commands of mmsigma;
hf-sdpa-commands is Hugging Face's in that environment. Peak memory is measured for one at a time: add ``--memory``.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import torch
from common import compare_apart, machine, print_table, without_slow_bfloat16
from mmaction.structures import ActionDataSample

from mmsigma.models.backbones.video_vit import ARCHITECTURES
from mmsigma.registry import MODELS

CANDIDATES = ('hf-sdpa', 'hf-sdpa-commands', 'ours', 'ours-bf16')
NUM_CLASSES = 400


def our_model(arch: str) -> torch.nn.Module:
    return MODELS.build(
        dict(
            type='mmsigma.VideoClassifier',
            backbone=dict(type='VideoVisionTransformer', arch=arch, final_norm=False),
            head=dict(type='ClassificationHead', num_classes=NUM_CLASSES),
        )
    )


def hf_model(arch: str) -> torch.nn.Module:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    size = ARCHITECTURES[arch]
    config = VideoMAEConfig(
        hidden_size=size['embed_dims'],
        num_hidden_layers=size['depth'],
        num_attention_heads=size['num_heads'],
        intermediate_size=4 * size['embed_dims'],
        num_labels=NUM_CLASSES,
        attn_implementation='sdpa',
    )
    return VideoMAEForVideoClassification(config)


def make_run(name: str, arch: str, clips: int, test: bool) -> Callable[[], object]:
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(0)
    inputs = torch.randn(clips, 3, 16, 224, 224, device=device)
    labels = torch.zeros(clips, dtype=torch.long, device=device)
    samples = [ActionDataSample().set_gt_label(0).to(device) for _ in range(clips)]
    ours = name.startswith('ours')
    model = (our_model(arch) if ours else hf_model(arch)).to(device)
    frames = inputs.transpose(1, 2).contiguous()

    def forward() -> torch.Tensor:
        if test:
            if ours:
                return model(inputs[None], samples[:1], mode='predict')[0].pred_score
            return model(frames).logits.softmax(dim=-1).mean(dim=0)
        return model(inputs, samples, mode='loss')['loss'] if ours else model(frames, labels=labels).loss

    def run() -> object:
        with torch.autocast(device, torch.bfloat16, enabled=name.endswith('bf16')), torch.set_grad_enabled(not test):
            out = forward()
        if not test:
            model.zero_grad()
            out.backward()
        return out

    model.train(not test)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--arch', nargs='+', default=['small', 'base'], choices=list(ARCHITECTURES))
    parser.add_argument('--candidates', nargs='+', default=list(CANDIDATES), choices=CANDIDATES)
    parser.add_argument('--batch', type=int, default=2, help='clips per training step')
    parser.add_argument('--views', type=int, default=6, help='views per tested video')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--memory', action='store_true', help='measure peak memory instead of time')
    args = parser.parse_args()
    args.candidates = without_slow_bfloat16(args.candidates)
    for arch in args.arch:
        for test, clips in ((False, args.batch), (True, args.views)):
            what = f'test of {clips} views' if test else f'fine-tuning step of {clips} clips'
            if args.memory:
                print(f'{what}, ViT-{arch}')
                for name in args.candidates:
                    code = (
                        f'import finetune_step as p; s = p.make_run({name!r}, {arch!r}, {clips}, {test}); '
                        'import common; base = common.peak_memory_mb(); s(); s(); '
                        f'print("  {name:<20}", round(common.peak_memory_mb() - base), "MB above the built model")'
                    )
                    subprocess.run([sys.executable, '-c', code], check=True, cwd=sys.path[0])
                continue
            makers = {name: partial(make_run, name, arch, clips, test) for name in args.candidates}
            medians = compare_apart(makers, args.rounds, as_commands=CANDIDATES[1:])
            print_table(f'{what}, ViT-{arch}, {machine()}', medians, args.candidates[0])


if __name__ == '__main__':
    main()
