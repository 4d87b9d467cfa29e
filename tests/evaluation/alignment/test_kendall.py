"""Kendall's tau against the originals and SciPy."""

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor

from mmsigma.evaluation.alignment.kendall import (
    kendall_tau,
    mean_tau,
    nearest_frames,
    tau_matrix,
)
from tests.golden_gta import case_names, load_arrays, load_case


def golden_actions() -> dict[str, list[Tensor]]:
    actions: dict[str, list[Tensor]] = {}
    for name, array in load_arrays('kendall').items():
        if name.startswith('shared/'):
            actions.setdefault(name.split('/')[1], []).append(torch.tensor(array))
    return actions


class TestKendall:
    @pytest.mark.parametrize('name', [name for name in case_names('kendall') if not name.startswith('all')])
    def test_official(self, name: str) -> None:
        case = load_case('kendall', name)
        stride, metric = case.params['stride'], case.params['metric']
        videos = [case.tensor(f'video{number}') for number in range(case.params['num_videos'])]
        found = tau_matrix(videos, stride, metric)
        np.testing.assert_allclose(found, case.arrays['tau_matrix'], atol=1e-12)
        assert float(found.nanmean()) == pytest.approx(float(case.arrays['tau']), abs=1e-12)
        nearest = nearest_frames(videos[0][::stride], [videos[1][::stride]], metric)
        assert torch.equal(nearest[0], case.tensor('nn_0_1'))

    @pytest.mark.parametrize('name', [name for name in case_names('kendall') if name.startswith('all')])
    def test_mean_over_actions(self, name: str) -> None:
        case = load_case('kendall', name)
        found, _ = mean_tau(golden_actions(), case.params['stride'])
        assert found == pytest.approx(float(case.arrays['tau']), abs=1e-12)
        assert f'{found:.5f}' == f'{float(case.arrays["official_printed"]):.5f}'

    def test_scipy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        orders = torch.randint(0, 6, (40, 17))
        expected = [kendalltau(np.arange(17), order).statistic for order in orders.numpy()]
        np.testing.assert_allclose(kendall_tau(orders), expected, atol=1e-14)
        monkeypatch.setattr('mmsigma.evaluation.alignment.kendall._BLOCK_ELEMENTS', 1000)
        np.testing.assert_allclose(kendall_tau(orders), expected, atol=1e-14)
        assert kendall_tau(torch.full((2, 5), 3)).isnan().all() and kendall_tau(torch.zeros(1, 1)).isnan().all()
        assert kendall_tau(torch.tensor([[0, 1, 2], [2, 1, 0]])).tolist() == [1, -1]

    def test_first_of_equal_frames(self) -> None:
        frames = torch.randn(5, 7).repeat(9, 1)  # each of five frames nine times
        nearest = nearest_frames(frames + 1e-3, [frames, frames[3:]])
        assert torch.equal(nearest[0], torch.arange(5).repeat(9))
        assert torch.equal(nearest[1], torch.tensor([2, 3, 4, 0, 1]).repeat(9))

    @pytest.mark.parametrize('metric', ['sqeuclidean', 'cosine'])
    @pytest.mark.parametrize('scale', [1.0, 1e-3, 1e3])
    def test_embeddings_that_are_all_the_same(self, metric: str, scale: float) -> None:
        """Their distances are rounding alone, of which the least is anywhere."""
        for width in (32, 128, 2048):
            frame = scale * torch.nn.functional.normalize(torch.randn(width), dim=0)
            assert tau_matrix([frame.repeat(length, 1) for length in (60, 71, 93)], 5, metric).isnan().all()

    def test_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        videos = [torch.randn(size, 4) for size in (9, 5, 12)]
        expected = tau_matrix(videos, 1)
        monkeypatch.setattr('mmsigma.evaluation.alignment.kendall._BLOCK_ELEMENTS', 60)
        torch.testing.assert_close(tau_matrix(videos, 1), expected, equal_nan=True)

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='requires at least two videos of an action, got 1'):
            tau_matrix([torch.zeros(4, 2)])
        with pytest.raises(ValueError, match='stride must be positive'):
            tau_matrix([torch.zeros(4, 2)] * 2, 0)
        with pytest.raises(ValueError, match='metric must be one of'):
            tau_matrix([torch.zeros(4, 2)] * 2, 1, 'l1')
