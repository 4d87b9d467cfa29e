"""Data preprocessor that draws masks which follow the optical flow of RAFT (MGMAE, ICCV 2023)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmsigma.checkpoints.files import CheckpointError, load_checkpoint_file
from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.ops import bump_map, carry_map, num_visible_tubes, split_by_map
from mmsigma.registry import MODELS


@MODELS.register_module()
class MotionGuidedPreprocessor(VideoDataPreprocessor):
    """Normalises clips, and masks all but the tubes that follow some cells of the middle frame.

    The flow is that of torchvision's RAFT-small, on the device, of frames on the scale -1..1; the original gives it
    normalised frames. :class:`mmsigma.datasets.transforms.MotionGuidedMask` needs no network. The network is frozen
    and not part of checkpoints.

    Args:
        weights: File of RAFT-small, ``'hub'`` to fetch that of torchvision, or ``'random'`` (tests and benchmarks).
        mask_ratio: Fraction of tokens to mask, between 0 and 1.
        patch_size: Side of a tube in pixels.
        tubelet_size: Number of frames of a tube.
        num_updates: Number of updates of the flow.
        fill: Whether pixels that nothing is carried to have the map of the middle frame.
        **kwargs: Further arguments of :class:`VideoDataPreprocessor`.

    Raises:
        CheckpointError: If the weights cannot be fetched or do not fit.
    """

    def __init__(
        self,
        weights: str = 'hub',
        mask_ratio: float = 0.9,
        *,
        patch_size: int = 16,
        tubelet_size: int = 2,
        num_updates: int = 6,
        fill: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mask_ratio, self.patch_size, self.tubelet_size = mask_ratio, patch_size, tubelet_size
        self.num_updates, self.fill = num_updates, fill
        self._flow = (_build_raft(weights),)  # a tuple, which does not register it as a submodule

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'MotionGuidedPreprocessor':
        self._flow[0]._apply(fn)
        itself: MotionGuidedPreprocessor = super()._apply(fn, recurse)
        return itself

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it without annotations
    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Normalise a batch of clips ``(C, T, H, W)`` and, in training, add ``mask``, ``visible`` and ``masked``.

        Raises:
            ValueError: If clips do not divide into tubes, or have other than 3 channels.
        """
        data = super().forward(data, training)
        if training:
            visible, masked, num_tokens, grid = self._draw(data['inputs'])
            masks = torch.zeros(len(visible), num_tokens, dtype=torch.bool, device=visible.device)
            masks.scatter_(1, masked, True)
            for sample, *parts in zip(data['data_samples'], masks, visible, masked, strict=True):
                for name, value in zip(('mask', 'visible', 'masked'), parts, strict=True):
                    sample.set_field(value, name)
                sample.set_metainfo(dict(mask_grid=grid))
        return data

    @torch.no_grad()
    def _draw(self, clips: Tensor) -> tuple[Tensor, Tensor, int, tuple[int, int, int]]:
        batch, channels, num_frames, height, width = clips.shape
        sides = (self.tubelet_size, self.patch_size, self.patch_size)
        if channels != 3 or any(size % side for size, side in zip((num_frames, height, width), sides, strict=True)):
            raise ValueError(f'clips of {tuple(clips.shape[1:])} (C, T, H, W) do not divide into tubes of {sides}')
        rows, columns = height // self.patch_size, width // self.patch_size
        num_cells, base = rows * columns, num_frames // 2
        drawn = num_cells - int(self.mask_ratio * num_cells)
        cells = torch.rand(batch, num_cells, device=clips.device).argsort(dim=1)[:, :drawn]
        base_map = bump_map(cells, (rows, columns), self.patch_size)
        maps = carry_map(base_map, self.flows(clips, base), base, fill=self.fill)
        split = split_by_map(maps, self.tubelet_size, self.patch_size, num_visible_tubes(num_cells, self.mask_ratio))
        grid = (num_frames // self.tubelet_size, rows, columns)
        return split.visible, split.masked, grid[0] * num_cells, grid

    @torch.no_grad()
    def flows(self, clips: Tensor, base: int) -> Tensor:
        """Compute the optical flow from each frame of normalised clips to its neighbour nearer to the base.

        Args:
            clips: Normalised clips ``(B, 3, T, H, W)``.
            base: Number of the base frame, whose flow is 0.

        Returns:
            Flow ``(B, T, 2, H, W)``, (x, y) in pixels.
        """
        frames = ((clips * self.std + self.mean) / 127.5 - 1).transpose(1, 2)  # (B, T, 3, H, W)
        numbers = [number for number in range(frames.shape[1]) if number != base]
        nearer = [number - 1 if number > base else number + 1 for number in numbers]
        new, known = (frames[:, chosen].flatten(0, 1) for chosen in (numbers, nearer))
        with torch.autocast(clips.device.type, enabled=False):
            found = self._flow[0].eval()(new, known, num_flow_updates=self.num_updates)[-1]
        found = found.unflatten(0, (len(clips), -1))
        zero = torch.zeros_like(found[:, :1])
        return torch.cat([found[:, :base], zero, found[:, base:]], dim=1)


def _build_raft(weights: str) -> Any:
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    place = 'model.data_preprocessor.weights'
    if weights == 'hub':
        try:
            network = raft_small(weights=Raft_Small_Weights.DEFAULT)
        except OSError as error:
            raise CheckpointError(
                f'the weights of RAFT-small cannot be fetched ({error}): give a file, {place}=/path/to.pth'
            ) from error
    else:
        network = raft_small()
        if weights != 'random':
            state = load_checkpoint_file(weights)
            try:
                network.load_state_dict(state)
            except (RuntimeError, TypeError) as error:
                raise CheckpointError(
                    f'{weights} does not have the weights of RAFT-small ({place}): {error}'
                ) from error
    return network.requires_grad_(False).eval()
