"""k-means of the features of a video, against scikit-learn's Lloyd from the same start; one video and many at once.

    python benchmarks/kmeans.py [--videos 8]

20 frames of 32 x 32 cells with 128 features and 3 position coordinates, 5 clusters, as space-time clustering has them.
"""

import argparse
import warnings

import torch
from common import compare, machine, peak_memory_mb, print_table
from sklearn.cluster import KMeans

from mmsigma.ops.clustering import kmeans, kmeans_many

NUM_POINTS, WIDTH, NUM_CLUSTERS = 20 * 32 * 32, 131, 5
NUM_ITERS = 100


def make_videos(number: int) -> torch.Tensor:
    """Features of as many videos (B, N, D): blurred groups, which take tens of iterations."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(number, 12, WIDTH, generator=generator)
    chosen = torch.randint(12, (number, NUM_POINTS), generator=generator)
    noise = torch.randn(number, NUM_POINTS, WIDTH, generator=generator)
    return centres.gather(1, chosen[..., None].expand(-1, -1, WIDTH)) + 2 * noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--videos', type=int, default=8)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    warnings.filterwarnings('ignore', category=UserWarning)
    points = make_videos(args.videos)
    init = points[0, :NUM_CLUSTERS].clone()
    theirs = KMeans(NUM_CLUSTERS, init=init.numpy(), n_init=1, max_iter=NUM_ITERS, tol=0, algorithm='lloyd')
    fitted = theirs.fit(points[0].numpy())
    ours = kmeans(points[0], NUM_CLUSTERS, init=init, num_iters=NUM_ITERS)
    agree = (ours.labels.numpy() == fitted.labels_).mean()
    print(f'{machine()}: {NUM_POINTS} x {WIDTH}, {NUM_CLUSTERS} clusters; {ours.num_iters} iterations here,', end=' ')
    print(f'{fitted.n_iter_} there; {agree:.2%} of the labels agree')
    medians = compare(
        {
            'scikit-learn': lambda: theirs.fit(points[0].numpy()),
            'mmsigma': lambda: kmeans(points[0], NUM_CLUSTERS, init=init, num_iters=NUM_ITERS),
        },
        rounds=args.rounds,
    )
    print_table('one video from the same start', medians, 'scikit-learn')

    plus_plus = KMeans(NUM_CLUSTERS, n_init=1, max_iter=NUM_ITERS, tol=0, algorithm='lloyd', random_state=0)

    def one_by_one() -> None:
        generator = torch.Generator().manual_seed(0)
        for own in points:
            kmeans(own, NUM_CLUSTERS, num_iters=NUM_ITERS, generator=generator)

    medians = compare(
        {
            'scikit-learn, one by one': lambda: [plus_plus.fit(own.numpy()) for own in points],
            'mmsigma, one by one': one_by_one,
            'mmsigma, at once': lambda: kmeans_many(
                points, NUM_CLUSTERS, num_iters=NUM_ITERS, generator=torch.Generator().manual_seed(0)
            ),
        },
        rounds=args.rounds,
    )
    print_table(f'{args.videos} videos, k-means++', medians, 'scikit-learn, one by one')
    print(f'  peak memory of the process {peak_memory_mb():.0f} MB, of which the features take', end=' ')
    print(f'{points.nbytes / 2**20:.0f} MB')


if __name__ == '__main__':
    main()
