"""k-means of the features of a video, against scikit-learn's Lloyd from the same start; one video and many at once.

    python benchmarks/kmeans.py [--videos 8]

20 frames of 32 x 32 cells with 128 features and 3 position coordinates, 5 clusters, as space-time clustering has them.
"""

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common import compare_apart, machine, print_table
from sklearn.cluster import KMeans

from mmsigma.ops.clustering import kmeans, kmeans_many

NUM_POINTS, WIDTH, NUM_CLUSTERS = 20 * 32 * 32, 131, 5
NUM_ITERS = 100
SINGLE = ('scikit-learn', 'mmsigma')
MANY = ('scikit-learn, one by one', 'mmsigma, one by one', 'mmsigma, at once')


def make_videos(number: int) -> torch.Tensor:
    """Features of as many videos (B, N, D): blurred groups, which take tens of iterations."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(number, 12, WIDTH, generator=generator)
    chosen = torch.randint(12, (number, NUM_POINTS), generator=generator)
    noise = torch.randn(number, NUM_POINTS, WIDTH, generator=generator)
    return centres.gather(1, chosen[..., None].expand(-1, -1, WIDTH)) + 2 * noise


def make_run(name: str, videos: int) -> Callable[[], object]:
    """Return a function that clusters the first video from the same start, or all of them by k-means++."""
    warnings.filterwarnings('ignore', category=UserWarning)
    points = make_videos(max(videos, 1))
    if videos == 0:
        init = points[0, :NUM_CLUSTERS].clone()
        if name == 'scikit-learn':
            theirs = sklearn_kmeans(init=init.numpy())
            return lambda: theirs.fit(points[0].numpy())
        return lambda: kmeans(points[0], NUM_CLUSTERS, init=init, num_iters=NUM_ITERS)
    if name == 'scikit-learn, one by one':
        plus_plus = sklearn_kmeans(random_state=0)
        return lambda: [plus_plus.fit(own.numpy()) for own in points]
    settings: dict[str, Any] = dict(num_clusters=NUM_CLUSTERS, num_iters=NUM_ITERS)
    if name == 'mmsigma, at once':
        return lambda: kmeans_many(points, generator=torch.Generator().manual_seed(0), **settings)

    def one_by_one() -> None:
        generator = torch.Generator().manual_seed(0)
        for own in points:
            kmeans(own, generator=generator, **settings)

    return one_by_one


def sklearn_kmeans(**settings: Any) -> KMeans:
    return KMeans(NUM_CLUSTERS, n_init=1, max_iter=NUM_ITERS, tol=0, algorithm='lloyd', **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--videos', type=int, default=8)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    fitted, ours = (make_run(name, 0)() for name in SINGLE)
    agree = (ours.labels.numpy() == fitted.labels_).mean()
    print(f'{machine()}: {NUM_POINTS} x {WIDTH}, {NUM_CLUSTERS} clusters; {ours.num_iters} iterations here,', end=' ')
    print(f'{fitted.n_iter_} there; {agree:.2%} of the labels agree')
    # in processes of their own: the threads of two OpenMP runtimes slow each other down
    medians = compare_apart({name: partial(make_run, name, 0) for name in SINGLE}, args.rounds)
    print_table('one video from the same start', medians, SINGLE[0])
    medians = compare_apart({name: partial(make_run, name, args.videos) for name in MANY}, args.rounds)
    print_table(f'{args.videos} videos, k-means++', medians, MANY[0])


if __name__ == '__main__':
    main()
