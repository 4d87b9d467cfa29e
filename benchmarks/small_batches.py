"""What a small batch does to the codes of SIGMA, and what a queue of recent features mends, on real clips.

    python benchmarks/small_batches.py CHECKPOINT --earlier CHECKPOINT --data DATA --frames FRAMES --out RECORD.json

Both checkpoints are of one run of evidence_sigma.py with the variant lite0, DATA and FRAMES as there. The reference are
the codes of a batch of 64 clips, as many as the release has on a GPU. The same clips in small batches are assigned
alone, and together with as many other clips in a queue as make 64, whose features are of the same state of the networks
or of the earlier one: a queue is never older in training. For scale, 64 others are in the place of the queue.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch
from common import machine, run_conditions
from teacher_precision import trained
from torch import Tensor

from mmsigma.io.atomic import write_atomically
from mmsigma.ops import sinkhorn


@torch.no_grad()
def features_of(model: Any, data: dict[str, Any]) -> Tensor:
    """Features of the target and predictions of N clips, ``(2, N, T, D)``."""
    split = model._split(data['data_samples'])
    target = model.target(data['inputs'], split)
    return torch.stack([target, model.neck(model.backbone(data['inputs'], split), split)])


@torch.no_grad()
def codes_of(model: Any, features: Tensor, size: int, queue: Tensor | None = None) -> Tensor:
    """Soft codes ``(2, N, T, K)`` of clips in batches of ``size``, assigned with the features of a queue."""
    loss, codes = model.head.loss_module, []
    for batch in features.split(size, dim=1):
        assigned = []
        for number, branch in enumerate(batch):
            together = branch if queue is None else torch.cat([branch, queue[number]])
            scores = model.head.scores(together.flatten(0, 1))
            found = sinkhorn(scores, loss.epsilon, loss.num_iters)[: branch.shape[:2].numel()]
            assigned.append(found.unflatten(0, branch.shape[:2]))
        codes.append(torch.stack(assigned))
    return torch.cat(codes, dim=1)


def measure(model: Any, now: Tensor, before: Tensor, sizes: list[int]) -> list[dict[str, Any]]:
    """Compare the codes of the first half of the clips; the others are in the queue."""
    half = now.shape[1] // 2
    own, reference, rows = now[:, :half], codes_of(model, now[:, :half], half), []
    for size in sizes:
        rest = half - size
        queues = {
            'no queue': None,
            'queue': now[:, half : half + rest],
            'queue of the earlier state': before[:, half : half + rest],
            'other batch of 64': now[:, -rest:],
        }
        for name, queue in queues.items():
            codes = codes_of(model, own, size, queue)
            same = 100 * (codes.argmax(-1) == reference.argmax(-1)).double().mean(dim=(1, 2))
            used = [len(part.argmax(dim=-1).unique()) for part in codes[0].split(size)]
            rows.append(
                dict(
                    clips=size,
                    queue=name,
                    same_codes_of_target_percent=float(same[0]),
                    same_codes_of_prediction_percent=float(same[1]),
                    total_variation=float((codes - reference).abs().sum(-1).mean() / 2),
                    used_prototypes_of_a_batch=sum(used) / len(used),
                )
            )
            print({key: value if isinstance(value, str) else round(value, 2) for key, value in rows[-1].items()})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--earlier', type=Path, required=True, help='of the same run')
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument('--frames', type=Path, required=True, help='of cache_frames.py')
    parser.add_argument('--sizes', type=int, nargs='+', default=[32, 16, 8, 4, 2])
    parser.add_argument('--clips', type=int, default=64, help='of the reference')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    print(machine())
    earlier, _, data = trained(args.earlier, args.data, args.frames, 2 * args.clips)
    order = torch.randperm(
        2 * args.clips, generator=torch.Generator().manual_seed(0)
    )  # that of the list is by data set
    before = features_of(earlier, data)[:, order]
    model, cfg, data = trained(args.checkpoint, args.data, args.frames, 2 * args.clips)
    record = {**run_conditions(), 'teacher': cfg.teacher, 'prototypes': cfg.num_prototypes}
    record['rows'] = measure(model, features_of(model, data)[:, order], before, args.sizes)
    if args.out:
        write_atomically(args.out, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
