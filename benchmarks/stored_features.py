"""Stored features at the size of large data sets: opening, nearest neighbours, and probes on tokens from the disk.

    python benchmarks/stored_features.py --out benchmarks/records/stored_features.json

Random features of the size of Kinetics-400 (240,000 videos of 1,536 channels, and some of its 19,796 queries), an
index of a million videos, and tokens that are read from the disk. Memory is what a process has of its own at its peak,
without files that are mapped.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from common import machine, run_conditions, with_peak

from mmsigma.evaluation.classification.knn import knn_votes
from mmsigma.evaluation.classification.probes import train_probes
from mmsigma.io.atomic import write_atomically
from mmsigma.io.feature_store import FeatureStore
from mmsigma.models import AttentiveHead

QUERIES = 19796  # of the validation set of Kinetics-400


def neighbours(videos: int = 240_000, channels: int = 1536, queries: int = 512) -> dict[str, float]:
    bank, labels = torch.randn(videos, channels), torch.arange(videos) % 400
    asked = torch.randn(queries, channels)
    knn_votes(bank, labels, asked[:1], (20,))
    few, _ = with_peak(lambda: knn_votes(bank, labels, asked[:1], (20,)))  # its preparation of the bank
    seconds, added = with_peak(lambda: knn_votes(bank, labels, asked, (20,)))
    each = (seconds - few) / (queries - 1)
    return dict(
        videos=videos,
        channels=channels,
        bank_mb=round(bank.nbytes / 2**20),
        added_mb=round(added),
        seconds_for_the_bank=round(few, 1),
        ms_per_query=round(each * 1e3, 1),
        minutes_for_k400=round((few + each * QUERIES) / 60, 1),
    )


def make_store(folder: str | Path, videos: int, shard: int) -> FeatureStore:
    """A store with names as long as those of Kinetics-400 and features of few channels."""
    store = FeatureStore(folder, dict(num_videos=videos, shard_size=shard, format='safetensors'))
    for number in range(store.num_shards):
        paths = [f'train/some_class_{row % 400}/{row:011d}_000010.mp4' for row in store.rows(number)]
        store.write(number, torch.zeros(len(paths), 8), torch.zeros(len(paths), dtype=torch.long), paths, [])
    return store


def opening(videos: int = 1_000_000, shard: int = 10_000) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(folder, videos, shard)
        found = []
        describe, _ = with_peak(lambda: found.append(FeatureStore.open(folder)))
        seconds, added = with_peak(lambda: found.append(found[0].open_rows()))
        return dict(
            videos=videos,
            shards=store.num_shards,
            seconds_of_description=round(describe, 3),
            seconds_with_names_and_labels=round(seconds, 2),
            names_mb=round(added),
        )


def tokens(where: str, folder: Path, channels: int = 384) -> dict[str, float]:
    """An epoch of an attentive probe on stored tokens, from the disk or loaded before."""
    store = FeatureStore.open(folder)
    stored: Any = store.open_rows() if where == 'disk' else store.load()
    data = stored.features, stored.labels

    def build() -> torch.nn.Module:
        return AttentiveHead(channels, 4, num_heads=6, depth=1)

    # memory counts from before the features are read
    seconds, added = with_peak(lambda: train_probes(build, data, data, lrs=(1e-3,), epochs=1, batch_size=16))
    loaded = 0 if where == 'disk' else stored.features.nbytes / 2**20
    return dict(seconds=round(seconds, 1), own_mb=round(added + loaded))


def token_runs(videos: int = 1024, count: int = 784, channels: int = 384) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir='.') as folder:
        store = FeatureStore(folder, dict(num_videos=videos, shard_size=64, format='safetensors'))
        for number in range(store.num_shards):
            rows = list(store.rows(number))
            features = torch.randn(len(rows), count, channels)
            store.write(number, features, torch.tensor(rows) % 4, [f'{row}.mp4' for row in rows], [])
        found: dict[str, Any] = {'mb': round(videos * count * channels * 4 / 2**20)}
        for where in ('memory', 'disk'):  # each in a process of its own
            command = [sys.executable, __file__, '--tokens', where, folder]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            found[where] = json.loads(run.stdout.splitlines()[-1])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--tokens', nargs=2, help=argparse.SUPPRESS)
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    if args.tokens:
        print(json.dumps(tokens(args.tokens[0], Path(args.tokens[1]))))
        return
    print(machine())
    record: dict[str, Any] = run_conditions()
    for name, measure in (('neighbours', neighbours), ('opening', opening), ('tokens', token_runs)):
        record[name] = measure()
        print(name, record[name], flush=True)
    if args.out:
        write_atomically(args.out, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
