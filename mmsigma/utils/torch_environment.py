"""Environment variables that PyTorch reads when it is imported, with values for trainings and tests on CPUs."""

import os


def set_torch_environment() -> None:
    """Set what makes PyTorch fast on a CPU, to be called before it is imported; what is set already remains.

    * Threads of GNU's OpenMP, that of PyTorch on Linux, give their core away soon when they wait. By default they spin
      for about a millisecond, as on a machine of their own. Where another process needs a core, a thread then keeps it
      from the one that it waits for, and a training step takes several times as long (``benchmarks/shared_cores.py``).
    * Large tensors are in pages of 2 MB, where Linux offers them on request. A step gives most of its memory back and
      asks for it again, and the first touch of each page costs more than the arithmetic done in 4 KB
      (``benchmarks/pretrain_step.py``).
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ.setdefault('GOMP_SPINCOUNT', '3000')
    os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')
