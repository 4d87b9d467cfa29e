"""Retrieval of frames."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mmsigma.evaluation.alignment.frame_retrieval import retrieval_precision
from tests.golden_gta import case_names, load_arrays, load_case


def golden_videos(subset: str) -> list[tuple[np.ndarray, np.ndarray]]:
    arrays = load_arrays('phase_eval')
    numbers = range(sum(name.startswith(f'shared/{subset}/') for name in arrays) // 2)
    return [tuple(arrays[f'shared/{subset}/{number}/{part}'] for part in ('embs', 'labels')) for number in numbers]


def tensors(videos: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Tensor, Tensor]]:
    return [(torch.tensor(frames), torch.tensor(labels)) for frames, labels in videos]


class TestRetrieval:
    @pytest.mark.parametrize('name', [n for n in case_names('phase_eval') if n.startswith(('retrieval', 'lav'))])
    def test_originals(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        case = load_case('phase_eval', name)
        settings = dict(stride=case.params.get('stride', 1), within=name.startswith('lav'))
        videos = tensors(golden_videos('val'))
        for _ in range(2):
            found = retrieval_precision(videos, case.params['K'], **settings)
            np.testing.assert_allclose(list(found.values()), case.arrays['ap'], rtol=0, atol=1e-9)
            monkeypatch.setattr('mmsigma.evaluation.alignment.frame_retrieval._BLOCK_ELEMENTS', 300)

    def test_another_video_is_needed(self) -> None:
        with pytest.raises(ValueError, match='retrieval needs another video'):
            retrieval_precision(tensors(golden_videos('val')[:1]))
