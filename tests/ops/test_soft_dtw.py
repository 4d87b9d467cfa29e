"""SmoothDTW against the original programs, the double loop of its definition, and finite differences."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mmsigma.ops.soft_dtw import Kind, contrastive_cost, cosine_cost, dtw_path, smooth_dtw, smooth_min
from tests.golden_gta import case_names, load_case

KINDS = {'dtw_prob': 'smoothmin', 'dtw_minGamma': 'logsumexp'}


@pytest.fixture(params=['vector operations', 'numba'], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Way of filling tables; all tests hold for both."""
    if request.param == 'numba':
        pytest.importorskip('numba')
    monkeypatch.setenv('MMSIGMA_NUMBA', str(int(request.param == 'numba')))
    return request.param


def double_loop(cost: Tensor, gamma: float, kind: str) -> Tensor:
    """The table (M, N) as it is defined, one cell after the other."""
    rows, columns = cost.shape
    outside = cost.new_tensor(1e10)
    table = {(i, j): outside for i in range(rows + 1) for j in range(columns + 1) if not i or not j}
    table[0, 0] = cost.new_zeros(())
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            before = torch.stack([table[i, j - 1], table[i - 1, j - 1], table[i - 1, j]])
            table[i, j] = cost[i - 1, j - 1] + smooth_min(before, gamma, kind)
    return torch.stack([torch.stack([table[i, j] for j in range(1, columns + 1)]) for i in range(1, rows + 1)])


def embeddings(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


class Calls(TorchDispatchMode):
    """While active, counts the operations on tensors in ``number``; on a GPU each is a launch or more."""

    number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.number += 1
        return func(*args, **(kwargs or {}))


class TestSmoothMin:
    @pytest.mark.parametrize('name', case_names('smooth_min'))
    def test_original(self, name: str) -> None:
        case = load_case('smooth_min', name)
        for kind, prefix in (('smoothmin', 'smooth_min'), ('logsumexp', 'min_gamma')):
            for row, gamma in enumerate(case.arrays['gammas'].tolist()):
                values = case.tensor('a', torch.float64).requires_grad_()
                found = smooth_min(values, gamma, kind)
                found.backward()
                expected, gradient = (case.tensor(f'{prefix}{part}_f64')[row] for part in ('', '_grad'))
                torch.testing.assert_close(found.detach(), expected, rtol=1e-9, atol=1e-9)
                torch.testing.assert_close(values.grad, gradient, rtol=1e-7, atol=1e-9)
                single = smooth_min(case.tensor('a').float(), gamma, kind).double()
                assert abs(single - expected) <= 2e-6 * (1 + abs(expected))
                original = case.tensor(prefix)[row].double()  # in float32
                assert abs(found.detach() - original) <= 2e-6 * (1 + abs(original))

    def test_bounds(self) -> None:
        values = torch.randn(100, 3, dtype=torch.float64) * 3
        least = values.amin(dim=1)
        smooth, soft = (smooth_min(values, 0.7, kind) for kind in ('smoothmin', 'logsumexp'))
        assert (smooth >= least).all() and (smooth <= least + 0.4631 * 0.7).all()
        assert (soft < least).all() and (soft >= least - 0.7 * np.log(3)).all()
        torch.testing.assert_close(smooth_min(values.T, 0.7, dim=0), smooth)

    def test_what_is_refused(self) -> None:
        for gamma in (0, np.nan, np.inf):
            with pytest.raises(ValueError, match=f'gamma must be positive and finite, got {gamma}'):
                smooth_min(torch.zeros(3), gamma)
        with pytest.raises(ValueError, match='kind must be one of'):
            smooth_min(torch.zeros(3), 1, 'hard')


class TestSmoothDTW:
    def test_operations_are_per_diagonal_not_per_cell_or_pair(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv('MMSIGMA_NUMBA', '0')
        numbers = {}
        for pairs, length in ((1, 20), (8, 20), (1, 40)):
            cost = torch.rand(pairs, length, length, requires_grad=True)
            with Calls() as calls:
                smooth_dtw(cost, 0.1).value.sum().backward()
            numbers[pairs, length] = calls.number
        assert numbers[8, 20] == numbers[1, 20] < 20 * 39  # diagonals
        assert numbers[1, 40] < 2.1 * numbers[1, 20]

    @pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
    @pytest.mark.parametrize('name', [n for n in case_names('smooth_dtw') if 'non-diff' not in n])
    def test_original(self, name: str, dtype: torch.dtype) -> None:
        case = load_case('smooth_dtw', name)
        if case.params['gamma_s'] == 0:
            pytest.skip('a hard minimum')
        x, y = (case.tensor(side, dtype).requires_grad_() for side in 'xy')
        norm, beta = case.params['norm'], case.params['gamma_f']
        cost = contrastive_cost(x[None], y[None], beta) if norm else (x @ y.T)[None]
        cost.retain_grad()
        found = smooth_dtw(cost, case.params['gamma_s'], kind=KINDS[case.params['softening']])
        exact = dtype == torch.float64
        # of the original, and by the definition in double precision
        table, value = found.table[0].detach(), found.value[0].detach()
        compared = [('dist', cost[0]), ('dist_f64', cost[0]), ('final', value), ('final_f64', value)]
        if 'final_official' in case and not case.arrays['official_dist_has_inf']:
            compared.append(('final_official', value))
        for label, values in compared:
            if label in case:
                # costs near 0 are what float32 rounds of logarithms near 0, and sums of them may cancel
                case.assert_close(values, label, label.partition('_')[0], atol=1e-7)
        for label, values in (('table', table), ('table_f64', table), ('last_row', table[-1])):
            if label in case:
                inside = (slice(1, None),) * values.ndim  # of the border
                bordered = case.tensor(label, torch.float64)
                bordered[inside] = values.double()
                case.assert_close(bordered, label, 'table', atol=2e-6)
        if exact and 'final_f64' in case:
            torch.testing.assert_close(value, case.tensor('final_f64'), rtol=1e-12, atol=0)
        found.value.sum().backward(retain_graph=True)
        is_long = 'long' in name
        for label, tensor in (('grad_x', x), ('grad_y', y), ('grad_dist', cost)):
            if f'{label}_f64' not in case:
                continue
            reference = case.tensor(f'{label}_f64').double()
            largest = max(1.0, float(reference.abs().max()))
            limit = (1e-5 if is_long else 1e-8) if exact else (2e-3 if is_long else 3e-4)
            assert (tensor.grad.reshape(reference.shape).double() - reference).abs().max() <= limit * largest, label
        if 'G' not in case or 'gradT_x_f64' not in case:
            return
        gradients = torch.autograd.grad((found.table[0] * case.tensor('G', dtype)).sum(), (x, y))
        for label, gradient in zip(('gradT_x', 'gradT_y'), gradients, strict=True):
            reference = case.tensor(f'{label}_f64').double()
            largest = max(1.0, float(reference.abs().max()))
            assert (gradient.double() - reference).abs().max() <= (1e-8 if exact else 3e-4) * largest, label

    @pytest.mark.parametrize('kind', ['smoothmin', 'logsumexp'])
    @pytest.mark.parametrize('shape', [(1, 1), (1, 5), (6, 1), (4, 7), (7, 4)])
    def test_double_loop(self, shape: tuple[int, int], kind: str) -> None:
        cost = torch.rand(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 4
        cotangent = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        ours, theirs = cost.clone().requires_grad_(), cost.clone().requires_grad_()
        table = smooth_dtw(ours, 0.3, kind=kind).table
        loop = torch.stack([double_loop(pair, 0.3, kind) for pair in theirs])
        torch.testing.assert_close(table, loop, rtol=1e-12, atol=1e-12)
        for side in (table, loop):
            (side * cotangent).sum().backward()
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-10)

    @pytest.mark.parametrize('kind', ['smoothmin', 'logsumexp'])
    def test_gradients(self, kind: str) -> None:
        cost = torch.rand(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True)
        lengths = torch.tensor([4, 2]), torch.tensor([3, 5])
        assert torch.autograd.gradcheck(lambda cost: smooth_dtw(cost, 0.2, kind=kind, lengths=lengths).value, cost)
        assert torch.autograd.gradcheck(lambda cost: smooth_dtw(cost, 0.2, kind=kind).table, cost)
        x, y = (embeddings(2, size, 3, seed=size).requires_grad_() for size in (4, 5))
        assert torch.autograd.gradcheck(lambda x, y: contrastive_cost(x, y, 0.5, lengths[0]), (x, y))

    def test_unequal_lengths_are_as_alone(self) -> None:
        sizes = [(5, 9), (12, 3), (1, 1), (12, 9)]
        x, y = (embeddings(4, size, 6, seed=size) for size in (12, 9))
        rows, columns = torch.tensor(sizes).unbind(1)
        padded_x, padded_y = x.clone().requires_grad_(), y.clone().requires_grad_()
        together = smooth_dtw(contrastive_cost(padded_x, padded_y, 0.1, rows), 0.1, lengths=(rows, columns))
        together.value.sum().backward()
        for number, (m, n) in enumerate(sizes):
            one, other = x[number, :m].clone().requires_grad_(), y[number, :n].clone().requires_grad_()
            alone = smooth_dtw(contrastive_cost(one[None], other[None], 0.1), 0.1)
            torch.testing.assert_close(together.value[number], alone.value[0], rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(together.table[number, :m, :n], alone.table[0], rtol=1e-12, atol=1e-12)
            alone.value.sum().backward()
            torch.testing.assert_close(padded_x.grad[number, :m], one.grad, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(padded_y.grad[number, :n], other.grad, rtol=1e-9, atol=1e-12)
            assert not padded_x.grad[number, m:].any() and not padded_y.grad[number, n:].any()

    @pytest.mark.parametrize('kind', ['smoothmin', 'logsumexp'])
    @pytest.mark.parametrize('padding', [torch.nan, torch.inf, -1e30])
    def test_padding_may_be_anything(self, padding: float, kind: str) -> None:
        rows, columns = torch.tensor([3, 5, 2]), torch.tensor([6, 1, 4])
        cost = torch.rand(3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
        found = []
        for value in (padding, 0.5):
            padded = torch.full_like(cost, value)
            for pair, (m, n) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
                padded[pair, :m, :n] = cost[pair, :m, :n]
            aligned = smooth_dtw(padded.requires_grad_(), 0.1, kind=kind, lengths=(rows, columns))
            aligned.value.sum().backward()
            found.append((aligned.value.detach(), padded.grad))
        for ours, reference in zip(*found, strict=True):
            assert reference.any() and torch.equal(ours, reference)

    def test_no_gradient_is_nan(self) -> None:
        generator = torch.Generator().manual_seed(0)
        for gamma in (1e-3, 0.1, 1.0, 100.0):
            x, y = (embeddings(250, size, 8, seed=size, dtype=torch.float32) for size in (11, 14))
            cost = contrastive_cost(x, y, 0.1).requires_grad_()
            found = smooth_dtw(cost, gamma)
            cotangent = torch.randn(found.table.shape, generator=generator) * 3
            (found.table * cotangent).sum().backward()
            assert cost.grad.isfinite().all(), gamma

    @pytest.mark.parametrize(('gamma', 'beta'), [(1e-6, 1e-3), (1e4, 1e3), (0.1, 1e-4)])
    def test_extreme_temperatures(self, gamma: float, beta: float) -> None:
        x, y = embeddings(2, 15, 4, dtype=torch.float32), embeddings(2, 12, 4, seed=1, dtype=torch.float32)
        cost = contrastive_cost(x, y, beta).requires_grad_()
        for kind in ('smoothmin', 'logsumexp'):
            found = smooth_dtw(cost, gamma, kind=kind)
            found.value.sum().backward()
            assert found.table.isfinite().all() and cost.grad.isfinite().all()

    def test_is_the_hard_path_for_small_gamma(self) -> None:
        cost = torch.rand(1, 9, 13, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).requires_grad_()
        found = smooth_dtw(cost, 1e-6)
        found.value.sum().backward()
        path = dtw_path(cost[0].detach())
        assert float(found.value) == pytest.approx(path.value)
        expected = torch.zeros(9, 13, dtype=torch.float64)
        expected[path.first, path.second] = 1
        torch.testing.assert_close(cost.grad[0], expected)

    def test_half_precision_is_computed_in_single(self) -> None:
        cost = torch.rand(1, 5, 6, generator=torch.Generator().manual_seed(5))
        assert smooth_dtw(cost.bfloat16(), 0.1).table.dtype == torch.float32
        with torch.autocast('cpu', torch.bfloat16):
            torch.testing.assert_close(smooth_dtw(cost, 0.1).table, smooth_dtw(cost, 0.1).table.float())

    def test_what_is_refused(self) -> None:
        cost = torch.rand(2, 3, 4)
        with pytest.raises(ValueError, match='gamma must be positive and finite, got -1'):
            smooth_dtw(cost, -1)
        with pytest.raises(
            ValueError, match=r'costs must have the shape \(B, M, N\) without empty dimensions, got \(2, 0, 4\)'
        ):
            smooth_dtw(cost[:, :0], 1)
        for bad in (torch.tensor([4, 1]), torch.tensor([0, 1]), torch.tensor([1])):
            with pytest.raises(ValueError, match='lengths of the first sequences must be 2 numbers from 1 to 3'):
                smooth_dtw(cost, 1, lengths=(bad, torch.tensor([4, 4])))
        with pytest.raises(ValueError, match='temperature must be positive, got 0'):
            contrastive_cost(torch.rand(1, 2, 3), torch.rand(1, 2, 3), 0)


def test_cosine_cost() -> None:
    x, y = (3 * embeddings(2, size, 3, seed=size) for size in (4, 5))
    plain = 1 - torch.nn.functional.cosine_similarity(x[:, :, None], y[:, None], dim=3)
    torch.testing.assert_close(cosine_cost(x, y), plain)
    x[0, 3:], y[1, 2:] = torch.nan, 0
    expected = plain.clone()
    expected[0, 3:], expected[1, :, 2:] = 0, 0
    lengths = torch.tensor([3, 4]), torch.tensor([5, 2])
    torch.testing.assert_close(cosine_cost(x, y, lengths), expected)
    y = y.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: cosine_cost(x, y, lengths), (embeddings(2, 4, 3).requires_grad_(), y))


@pytest.mark.parametrize('name', case_names('hard_dtw'))
def test_hard_path_is_the_original(name: str) -> None:
    case = load_case('hard_dtw', name)
    x, y = case.tensor('x', torch.float64), case.tensor('y', torch.float64)
    if case.params['metric'] == 'cosine':
        cost = 1 - torch.nn.functional.normalize(x, dim=1) @ torch.nn.functional.normalize(y, dim=1).T
    else:
        cost = (x[:, None] - y).square().sum(dim=2)
    path = dtw_path(cost)
    case.assert_close(path.value, 'value', 'value')
    case.assert_close(path.table, 'acc', 'value')
    assert torch.equal(path.first, case.tensor('path_i')) and torch.equal(path.second, case.tensor('path_j'))


@pytest.mark.parametrize(
    'name', [name for name in case_names('smooth_dtw') if 'non-diff' in name or 'dtw_minGamma@0' in name]
)
def test_hard_minima_of_the_original(name: str) -> None:
    """The cost of the cheapest path, its table, and its gradient, which is 1 on the path."""
    case = load_case('smooth_dtw', name)
    if 'non-diff' not in name and case.params['gamma_s']:
        pytest.skip('a soft minimum')
    x, y = (case.tensor(side, torch.float64) for side in 'xy')
    cost = contrastive_cost(x[None], y[None], case.params['gamma_f'])[0] if case.params['norm'] else x @ y.T
    path = dtw_path(cost)
    for label in {'final', 'final_f64'} & set(case.arrays):
        case.assert_close(path.value, label, 'final', atol=1e-7)
    for label in {'table', 'table_f64'} & set(case.arrays):
        bordered = case.tensor(label, torch.float64)
        bordered[1:, 1:] = path.table
        case.assert_close(bordered, label, 'table', atol=2e-6)
    steps = torch.zeros_like(cost)
    steps[path.first, path.second] = 1
    torch.testing.assert_close(steps, case.tensor('grad_dist_f64', torch.float64), rtol=0, atol=1e-8)


@pytest.mark.parametrize('name', case_names('soft_dtw'))
def test_soft_dtw_is_tslearns(name: str) -> None:
    case = load_case('soft_dtw', name)
    x, y = case.tensor('x').requires_grad_(), case.tensor('y')
    gamma = case.params['gamma']

    def value(one: Tensor, other: Tensor) -> Tensor:
        return smooth_dtw((one[:, None] - other).square().sum(dim=2)[None], gamma, kind='logsumexp').value[0]

    cost = (x[:, None] - y).square().sum(dim=2)[None]
    cost.retain_grad()
    found = smooth_dtw(cost, gamma, kind='logsumexp').value[0]
    found.backward()
    case.assert_close(found, 'value', 'value')
    case.assert_close(cost.grad[0], 'E', 'E')
    case.assert_close(x.grad, 'grad_x', 'grad')
    with torch.no_grad():
        divergence = found - (value(x, x) + value(y, y)) / 2
    # of values that nearly cancel, whose tolerance it has
    case.assert_close(divergence, 'divergence', 'value', atol=1e-9 * abs(float(found)))


def test_path_of_one_frame() -> None:
    path = dtw_path(torch.tensor([[1.0, 2.0, 3.0]]))
    assert path.value == 6 and path.first.tolist() == [0, 0, 0] and path.second.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match='some are NaN'):
        dtw_path(torch.tensor([[1.0, torch.nan]]))


class TestForbiddenMatches:
    """Infinite costs, as outside of a band."""

    @pytest.mark.parametrize('kind', KINDS.values())
    @pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
    def test_value_is_that_of_the_paths_left(self, kind: Kind, dtype: torch.dtype) -> None:
        rows, columns = torch.meshgrid(torch.arange(15), torch.arange(12), indexing='ij')
        band = (rows - columns).abs() <= 4
        base = torch.rand(2, 15, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        cost = base.to(dtype).masked_fill(~band, torch.inf).requires_grad_()
        found = smooth_dtw(cost, 0.1, kind=kind)
        found.value.sum().backward()
        for number in range(2):
            table = double_loop(base[number].masked_fill(~band, 1e9), 0.1, kind)
            torch.testing.assert_close(found.value[number].double(), table[-1, -1], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(found.table[number][band].double(), table[band], rtol=1e-5, atol=1e-5)
        assert found.table[:, ~band].isinf().all()
        assert cost.grad.isfinite().all() and not cost.grad[:, ~band].any()
        free = base.clone().requires_grad_()
        smooth_dtw(free + 1e6 * ~band, 0.1, kind=kind).value.sum().backward()
        torch.testing.assert_close(cost.grad.double(), free.grad.where(band, 0), rtol=1e-3, atol=1e-4)

    def test_padding_may_be_anything(self) -> None:
        cost = torch.full((1, 4, 4), torch.inf)
        cost[0, :3, :2] = 1
        lengths = torch.tensor([3]), torch.tensor([2])
        assert smooth_dtw(cost, 0.1, lengths=lengths).value.isfinite().all()
        cost[0, 3, 3] = torch.nan
        assert smooth_dtw(cost, 0.1, lengths=lengths).value.isfinite().all()

    @pytest.mark.parametrize('kind', KINDS.values())
    def test_no_path_at_all(self, kind: Kind) -> None:
        cost = torch.ones(2, 3, 3)
        cost[0, 1] = torch.inf
        cost.requires_grad_()
        value = smooth_dtw(cost, 0.5, kind=kind).value
        assert value.tolist()[0] == torch.inf and value[1].isfinite()
        value[1].backward()
        assert cost.grad.isfinite().all()
        with pytest.raises(ValueError, match='infinite costs forbid every path'):
            dtw_path(cost[0].detach())

    def test_hard_path_keeps_to_the_band(self) -> None:
        rows, columns = torch.meshgrid(torch.arange(9), torch.arange(9), indexing='ij')
        cost = torch.rand(9, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        band = (rows - columns).abs() <= 1
        path = dtw_path(cost.masked_fill(~band, torch.inf))
        assert ((path.first - path.second).abs() <= 1).all()
        assert path.value == pytest.approx(float(cost[path.first, path.second].sum()))

    @pytest.mark.parametrize('wrong', [torch.nan, -torch.inf])
    def test_what_is_no_cost(self, wrong: float) -> None:
        cost = torch.ones(1, 3, 3)
        cost[0, 1, 1] = wrong
        with pytest.raises(ValueError, match='some are NaN or negative infinity.*lower the learning rate'):
            smooth_dtw(cost, 0.1)
        with pytest.raises(ValueError, match='some are NaN or negative infinity'):
            dtw_path(cost[0])
