"""Tests of mmsigma."""

import os

# Before torch is imported, and for the processes that tests start: on tensors this small, threads that wait for each
# other take longer than the work, several times so where other programs run.
os.environ['OMP_NUM_THREADS'] = '1'
