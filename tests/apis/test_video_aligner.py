"""Aligning a user's own videos, by program and from the command line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from mmsigma.apis import VideoAligner, video_aligner
from mmsigma.apis.video_aligner import EmbeddedVideo, align, anomaly_curve
from mmsigma.evaluation.alignment.frame_cost import PathChoice
from mmsigma.io.video import FrameReader, write_mp4
from mmsigma.models.gta.context_embedder import Embedded
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from tests.vos_data import draw_video, write_frames

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'demo' / 'gta_tiny_demo.py'
SMALL = {
    'context_stride': 3,
    'model.chunk': 4,
    'model.neck.conv_channels': (8,),
    'model.neck.fc_channels': (8,),
}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model, path = MODELS.build(load_config(CONFIG, SMALL).model), tmp_path_factory.mktemp('weights') / 'gta.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return path


@pytest.fixture(scope='module')
def inferencer(checkpoint: Path) -> VideoAligner:
    return VideoAligner(CONFIG, checkpoint, options=SMALL, device='cpu')


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    write_frames(tmp_path / 'frames', draw_video(10, 2)[0], [f'f{number}' for number in range(10)])
    return tmp_path / 'frames'


def on_a_circle(moments: Tensor, name: str = 'video', fps: float = 10.0) -> EmbeddedVideo:
    """A video whose embeddings tell the moment of the action, 0 to 1, of each frame."""
    return EmbeddedVideo(name, torch.stack([(2 * moments).cos(), (2 * moments).sin()], dim=1), fps)


def test_lists_are_aligned_pair_by_pair(inferencer: VideoAligner) -> None:
    videos = [on_a_circle(torch.linspace(0, 1, number), str(number)) for number in (5, 7, 9)]
    found = inferencer(videos[:2], videos[1:])
    assert [(one.first.name, one.second.name) for one in found] == [('5', '7'), ('7', '9')]
    assert inferencer([], []) == []
    for pair in ((videos, videos[:2]), (videos, videos[0]), (videos[0], videos)):
        with pytest.raises(ValueError, match='a list of videos is aligned with a list of as many others'):
            inferencer(*pair)


class TestEmbedding:
    def test_equals_that_of_the_whole_video(self, inferencer: VideoAligner, frames: Path) -> None:
        seen: list[tuple[int, int]] = []
        found = inferencer.embed(frames, progress=lambda *numbers: seen.append(numbers))
        assert (found.name, found.fps, found.embeddings.shape) == ('frames', 24, (10, 32))
        assert seen == [(4, 10), (8, 10), (10, 10)]
        pictures = torch.from_numpy(np.stack(list(FrameReader(frames)))).movedim(-1, 1)
        whole = inferencer.model.data_preprocessor(dict(inputs=[pictures], data_samples=[None]))['inputs']
        (expected,) = inferencer.model(whole)
        torch.testing.assert_close(found.embeddings, expected, rtol=1e-4, atol=1e-5)
        assert inferencer.embed(found) is found

    def test_does_not_hold_the_video(self, inferencer: VideoAligner, frames: Path) -> None:
        reader, read, most = FrameReader(frames), [], 0
        original = reader.read
        reader.read = lambda number: read.append(number) or original(number)
        for number, part in enumerate(inferencer._stream(reader)):
            most = max(most, len(read) - 4 * number)
            assert len(part.embeddings) <= 4
        assert most == 4 and read == list(range(10))

    def test_video_file(self, inferencer: VideoAligner, frames: Path, tmp_path: Path) -> None:
        write_mp4(tmp_path / 'clip.mp4', FrameReader(frames), fps=12.5)
        found = inferencer.embed(tmp_path / 'clip.mp4')
        assert (found.name, found.fps, len(found.embeddings)) == ('clip', 12.5, 10)

    @pytest.mark.parametrize('length', [1, 2])
    def test_shorter_than_the_context(self, inferencer: VideoAligner, tmp_path: Path, length: int) -> None:
        write_frames(tmp_path / 'short', draw_video(length)[0], [str(number) for number in range(length)])
        assert inferencer.embed(tmp_path / 'short').embeddings.isfinite().all()

    def test_pictures_of_unlike_sizes(self, inferencer: VideoAligner, frames: Path) -> None:
        before = inferencer.embed(frames).embeddings
        picture = np.full((50, 70, 3), 90, np.uint8)
        assert cv2.imwrite(str(frames / 'f9.png'), picture)
        after = inferencer.embed(frames).embeddings
        torch.testing.assert_close(after[:9], before[:9], rtol=1e-4, atol=1e-5)
        assert (after[9] - before[9]).norm() > 1e-3

    def test_what_cannot_be_embedded(self, inferencer: VideoAligner, frames: Path, tmp_path: Path) -> None:
        (tmp_path / 'empty').mkdir()
        (tmp_path / 'broken.mp4').write_bytes(b'no video')
        with pytest.raises(ValueError, match='empty cannot be read: it has no frames'):
            inferencer.embed(tmp_path / 'empty')
        with pytest.raises(ValueError, match='broken.mp4 cannot be read: Invalid data'):
            inferencer(frames, tmp_path / 'broken.mp4')
        with pytest.raises(FileNotFoundError, match='no video at'):
            inferencer.embed(tmp_path / 'missing.mp4')
        bias = inferencer.model.neck.out.bias
        bias[0], before = torch.nan, float(bias[0])
        with pytest.raises(ValueError, match='frames has embeddings that are not finite'):
            inferencer.embed(frames)
        bias[0] = before

    def test_configs_and_checkpoints(self, checkpoint: Path, inferencer: VideoAligner, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match='has a model of type LabelPropagation: use a config from'):
            VideoAligner(ROOT / 'configs' / 'vos' / 'colour.py')
        with pytest.raises(ValueError, match='gta_tiny_demo.py requires a checkpoint'):
            VideoAligner(CONFIG)
        state = torch.load(checkpoint, weights_only=True)['state_dict']
        loaded = inferencer.model.state_dict()
        assert all(torch.equal(loaded[name], value) for name, value in state.items())
        without_neck = {name: value for name, value in state.items() if not name.startswith('neck.')}
        torch.save({'state_dict': without_neck}, tmp_path / 'backbone.pth')
        with pytest.raises(RuntimeError, match=r'backbone.pth does not fit the model: missing \d+ \['):
            VideoAligner(CONFIG, tmp_path / 'backbone.pth', options=SMALL, device='cpu')


class TestAlignment:
    def test_with_itself_is_the_diagonal(self, inferencer: VideoAligner, frames: Path) -> None:
        aligned = inferencer(frames, frames)
        for how in ('path', 'nearest'):
            assert all(torch.equal(part, torch.arange(10)) for part in aligned.pairs(how))
            assert aligned.transfer(list('abcdefghij'), how) == list('abcdefghij')
        assert aligned.mean_cost == pytest.approx(float(aligned.cost.diagonal().mean()))
        assert inferencer(frames, frames, 'sqeuclidean', 'slope').mean_cost == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(aligned.times(), np.arange(10) / 24)

    @pytest.mark.parametrize('how', ['path', 'nearest'])
    @pytest.mark.parametrize('factor', [2, 20])
    def test_recovers_a_stretch(self, factor: int, how: str) -> None:
        moments = torch.linspace(0, 1, 15)
        short, long = on_a_circle(moments), on_a_circle(moments.repeat_interleave(factor), fps=10.0 * factor)
        slowed = align(long, short, 'sqeuclidean', 'dtw').transfer(np.arange(15), how)
        np.testing.assert_array_equal(slowed, np.arange(15).repeat(factor))
        aligned = align(short, long, 'sqeuclidean', 'dtw')
        np.testing.assert_array_equal(aligned.transfer(np.arange(15 * factor), how), factor * np.arange(15))
        assert aligned.mean_cost == pytest.approx(0, abs=1e-9)
        late = (factor - 1) / 2 / (10 * factor) if how == 'path' else 0  # mean of the frames of a moment
        np.testing.assert_allclose(aligned.times(how), np.arange(15) / 10 + late)

    def test_of_actions_at_another_pace(self) -> None:
        pace = torch.linspace(0, 1, 60) ** 2
        aligned = align(on_a_circle(torch.linspace(0, 1, 40)), on_a_circle(pace), 'sqeuclidean', 'dtw')
        assert (aligned.transfer(pace) - torch.linspace(0, 1, 40)).abs().max() < 0.02
        soft = aligned.soft(1e-3)
        assert soft.shape == (40, 60) and float(soft[aligned.path.first, aligned.path.second].mean()) > 0.4
        assert float(soft[0, 0]) == pytest.approx(1) and (soft >= 0).all() and float(soft[0, 59]) < 1e-6

    @pytest.mark.parametrize('cost', ['sqeuclidean', 'cosine', 'contrastive'])
    @pytest.mark.parametrize('path', ['dtw', 'slope', 'expected'])
    def test_costs_and_paths(self, cost: str, path: str) -> None:
        pace = torch.linspace(0, 1, 30) ** 2
        first, second = on_a_circle(torch.linspace(0, 1, 20)), on_a_circle(pace)
        aligned = align(first, second, cost, path, temperature=0.01, gamma=1e-3, max_pace=4)
        assert (aligned.transfer(pace) - torch.linspace(0, 1, 20)).abs().max() < 0.07
        expected_cost, expected = PathChoice(cost, path, 0.01, 1e-3, 4).align(first.embeddings, second.embeddings)
        assert torch.equal(aligned.cost, expected_cost) and torch.equal(aligned.path.second, expected.second)
        # the other way round, the pairs are the same
        back = align(second, first, cost, path, temperature=0.01, gamma=1e-3, max_pace=4)
        assert torch.equal(back.path.second, aligned.path.first)

    def test_arguments_of_the_inferencer(self, inferencer: VideoAligner) -> None:
        first, second = on_a_circle(torch.linspace(0, 1, 20)), on_a_circle(torch.linspace(0, 1, 30) ** 2)
        for choice in ((), ('sqeuclidean', 'dtw'), ('cosine', 'slope'), ('contrastive', 'expected')):
            found, expected = inferencer(first, second, *choice), align(first, second, *choice)
            assert torch.equal(found.cost, expected.cost) and torch.equal(found.path.first, expected.path.first)

    def test_what_cannot_be_aligned(self) -> None:
        one, other = on_a_circle(torch.rand(4), 'one'), on_a_circle(torch.rand(6), 'other')
        aligned = align(one, other)
        with pytest.raises(
            ValueError, match='the payload has 4 entries, but other has 6 frames: one entry per frame is required'
        ):
            aligned.transfer(np.zeros(4))
        with pytest.raises(ValueError, match="how must be one of .*, got 'soft'"):
            aligned.transfer(np.zeros(6), 'soft')
        with pytest.raises(ValueError, match="cost must be one of .*, got 'l1'"):
            align(one, other, 'l1')
        with pytest.raises(ValueError, match="path one of .*, got .* and 'soft'"):
            align(one, other, path='soft')
        with pytest.raises(ValueError, match='one has embeddings of 2 dimensions, wide of 3'):
            align(one, EmbeddedVideo('wide', torch.rand(5, 3), 1.0))


class TestAnomaly:
    def test_is_the_distance_to_the_nearest_frame(self) -> None:
        video, references = torch.randn(9, 5), [torch.randn(size, 5) for size in (4, 7)]
        expected = torch.cdist(video.double(), torch.cat(references).double()).amin(dim=1)
        torch.testing.assert_close(anomaly_curve(video, references), expected)
        with pytest.raises(ValueError, match='pass at least one reference'):
            anomaly_curve(video, [])

    def test_of_a_reference_is_nothing(self, inferencer: VideoAligner, frames: Path) -> None:
        embedded = inferencer.embed(frames)
        assert not inferencer.anomaly(embedded, [frames]).any()
        changed = embedded._replace(embeddings=embedded.embeddings.clone())
        changed.embeddings[4] *= -1
        curve = inferencer.anomaly(changed, [frames, embedded])
        assert curve.argmax() == 4 and curve[4] > 1 and np.count_nonzero(curve) == 1


def test_activation_of_each_frame(inferencer: VideoAligner, frames: Path) -> None:
    maps = list(inferencer.activation(frames))
    assert len(maps) == 10 and maps[0].shape == (8, 8)
    assert all(one.min() == 0 and one.max() == pytest.approx(1) for one in maps)
    assert any(np.abs(one - maps[0]).max() > 1e-3 for one in maps[1:])


def test_activation_is_that_of_the_own_slot(inferencer: VideoAligner, frames: Path) -> None:
    """A neck whose older slot responds to the opposite of what the frame's own does."""
    neck = inferencer.model.neck
    own = torch.arange(12.0).view(1, 1, 3, 4) / 11

    def embed(maps: Tensor) -> Embedded:
        count = len(maps) // neck.num_context
        return Embedded(torch.zeros(count, 2), torch.stack([1 - own, own], dim=2).expand(count, -1, -1, -1, -1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neck, 'embed', embed)
        maps = list(inferencer.activation(frames))
    assert len(maps) == 10 and all(np.allclose(one, own[0, 0]) for one in maps)


def test_from_the_command_line(run_tool: Callable, checkpoint: Path, frames: Path, tmp_path: Path) -> None:
    write_mp4(tmp_path / 'second.mp4', FrameReader(frames), fps=5)
    (tmp_path / 'phases.json').write_text(json.dumps({'phases': [number // 3 for number in range(10)]}))
    command = [frames, tmp_path / 'second.mp4', checkpoint, '--config', CONFIG, '--out', tmp_path / 'out']
    options = ['--cfg-options', 'context_stride=3', 'model.chunk=4', 'model.neck.conv_channels=[8]']
    options += ['model.neck.fc_channels=[8]']
    asked = ['--device', 'cpu', '--labels', tmp_path / 'phases.json', '--cam', '--anomaly', frames]
    done = run_tool('demo/align_demo.py', *command, *asked, *options)
    assert done.status == 0 and '10 frames aligned with 10, mean cost of a step' in done.output, done.errors
    names = {'alignment.png', 'alignment.csv', 'side_by_side.mp4', 'labels.npy', 'anomaly.png', 'report.html'}
    assert {path.name for path in (tmp_path / 'out').iterdir()} == names | {
        'activation_first.mp4',
        'activation_second.mp4',
    }
    with open(tmp_path / 'out' / 'alignment.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    matches = [int(row['matched_frame']) for row in rows]
    assert [row['frame'] for row in rows] == [str(number) for number in range(10)] and matches == sorted(matches)
    assert [float(row['matched_seconds']) for row in rows] == [match / 5 for match in matches]
    assert [int(row['label']) for row in rows] == [match // 3 for match in matches]
    assert np.load(tmp_path / 'out' / 'labels.npy').tolist() == [match // 3 for match in matches]
    assert not any(float(row['anomaly']) for row in rows)
    assert all(len(FrameReader(path)) == 10 for path in (tmp_path / 'out').glob('*.mp4'))


def test_cost_and_path_from_the_command_line(
    run_tool: Callable, checkpoint: Path, frames: Path, tmp_path: Path
) -> None:
    options = ['--cfg-options', 'context_stride=3', 'model.neck.conv_channels=[8]', 'model.neck.fc_channels=[8]']
    command = [frames, frames, checkpoint, '--config', CONFIG, '--device', 'cpu', '--out', tmp_path / 'out']
    chosen = ['--cost', 'sqeuclidean', '--path', 'slope']
    done = run_tool('demo/align_demo.py', *command, *chosen, *options)
    assert done.status == 0 and 'mean cost of a step 0.0000' in done.output, done.errors
    assert run_tool('demo/align_demo.py', *command, '--path', 'straight').status == 2


def test_labels_that_are_none(run_tool: Callable, checkpoint: Path, frames: Path, tmp_path: Path) -> None:
    (tmp_path / 'text.npy').write_text('one two')
    np.save(tmp_path / 'short.npy', np.arange(9))
    options = ['context_stride=3', 'model.neck.conv_channels=[8]', 'model.neck.fc_channels=[8]']
    for name, message in (
        ('text', 'text.npy is not a plain array'),
        ('short', 'short.npy has 9 labels, but'),
        ('missing', 'No such file'),
    ):
        labels = ['--labels', tmp_path / f'{name}.npy', '--config', CONFIG, '--out', tmp_path / 'out']
        run = run_tool('demo/align_demo.py', frames, frames, checkpoint, *labels, '--cfg-options', *options)
        assert run.status == 1 and message in run.errors and 'aligned with' not in run.output
    assert not (tmp_path / 'out').exists()


class TestResults:
    def test_frames_in_memory_equal_files(self, inferencer: VideoAligner, frames: Path) -> None:
        pictures = np.stack(list(FrameReader(frames)))
        expected = inferencer.embed(frames)
        for video in (pictures, iter(pictures), torch.from_numpy(pictures)):
            found = inferencer.embed(video)
            assert torch.equal(found.embeddings, expected.embeddings) and found.name == 'frames'
        both = inferencer.embed([pictures, expected])
        assert torch.equal(both[0].embeddings, expected.embeddings) and both[1] is expected

    def test_files_of_an_alignment(self, tmp_path: Path) -> None:
        moments = torch.linspace(0, 1, 9)
        found = align(on_a_circle(moments, 'one'), on_a_circle(moments[::2], 'two'))
        assert (found.name, found.caption[:17]) == ('one, two', '9 and 5 frames, m')
        paths = found.save(tmp_path)
        names = ['cost.npy', 'path.npy', 'nearest.npy', 'table.csv', 'picture.png']
        assert [path.name for path in paths] == names
        cost, path = np.load(paths[0]), np.load(paths[1])
        assert cost.shape == (9, 5) and path[0].tolist() == [0, 0] and path[-1].tolist() == [8, 4]
        assert found.mean_cost == pytest.approx(cost[path[:, 0], path[:, 1]].mean())
        last = paths[3].read_text().splitlines()[-1]
        assert last == '8,0.800000,4,0.400000'

    def test_pictures_are_in_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        moments, drawn = torch.linspace(0, 1, 9), dict[str, Any]()
        draw = video_aligner.draw_alignment
        monkeypatch.setattr(
            video_aligner, 'draw_alignment', lambda *args, **told: drawn.update(told) or draw(*args, **told)
        )
        align(on_a_circle(moments, 'one'), on_a_circle(moments[::2], 'two')).picture()
        assert drawn['times'][1].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
        assert len(drawn['times'][0]) == 9 and drawn['names'] == ('one', 'two')

    def test_half_precision(self, checkpoint: Path, frames: Path) -> None:
        half = VideoAligner(CONFIG, checkpoint, options=SMALL, device='cpu', precision='bfloat16').embed(frames)
        exact = VideoAligner(CONFIG, checkpoint, options=SMALL, device='cpu').embed(frames)
        assert half.embeddings.dtype == torch.float32
        error = (half.embeddings - exact.embeddings).abs().max()
        assert 0 < error < 0.05
