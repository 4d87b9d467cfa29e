"""Threads on cores that others use, too."""

import os


def spin_briefly() -> None:
    """Let the threads of GNU's OpenMP, that of PyTorch on Linux, give their core away soon when they wait.

    By default they spin for about a millisecond, as on a machine of their own. Where another process needs a core, a
    thread then keeps it from the one that it waits for, and a training step takes several times as long
    (``benchmarks/shared_cores.py``). To be called before PyTorch is imported, which reads the environment; what is set
    there already remains.
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ.setdefault('GOMP_SPINCOUNT', '3000')
