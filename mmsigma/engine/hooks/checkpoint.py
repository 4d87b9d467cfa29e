"""Writing checkpoints now and then."""

from collections import deque
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from mmsigma.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """mmengine's hook, but the oldest checkpoint goes only when the newest is in place.

    mmengine removes it before (seen in 0.10.7): with ``max_keep_ckpts=1`` and a full disk, none would be left.
    """

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        if self.max_keep_ckpts <= 0:
            return super()._save_checkpoint_with_step(runner, step, meta)
        self.keep_ckpt_ids = deque(self.keep_ckpt_ids)
        self.max_keep_ckpts += 1
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts -= 1
        while len(self.keep_ckpt_ids) > self.max_keep_ckpts:
            oldest = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
            if is_main_process():
                Path(self.out_dir, oldest).unlink(missing_ok=True)
