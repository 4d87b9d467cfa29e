"""Scores, tables, masks and archives of video object segmentation."""

import csv
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsigma.datasets.vos.sequences import VOSSequence, find_sequences
from mmsigma.evaluation import VOSMetric
from mmsigma.evaluation.vos.davis import score_sequence, summarize
from mmsigma.evaluation.vos.vos_metric import WrittenMask, write_archive
from mmsigma.io.masks import davis_palette, read_mask, write_mask
from mmsigma.visualization.vos_report import write_strip
from tests.vos_data import make_davis, make_youtube_vos


def predictions(video: VOSSequence) -> np.ndarray:
    """The first mask, copied."""
    return np.stack([video.read_mask(0)] * len(video.frames))


def evaluate(metric: VOSMetric, videos: list[VOSSequence], pred=predictions) -> dict[str, float]:
    for video in videos:
        metric.process({}, [dict(sequence=video, pred_masks=pred(video))])
    return metric.evaluate(len(videos))


def read_csv(path: Path) -> list[list[str]]:
    with open(path, newline='') as file:
        return list(csv.reader(file))


def test_scores_and_tables(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    videos = find_sequences('davis', make_davis(tmp_path / 'davis', dict(ant=6, bee=12)))
    metrics = evaluate(VOSMetric(str(tmp_path / 'out')), videos)
    statistics = []
    for video in videos:
        gt = [video.read_mask(number) for number in range(len(video.frames))]
        statistics += score_sequence(predictions(video), gt).statistics()
    expected = summarize(statistics)
    assert metrics == pytest.approx({f'vos/{name}': 100 * value for name, value in expected.items()})
    assert 0 < metrics['vos/J&F'] < 100

    (titles, values) = read_csv(tmp_path / 'out/global.csv')
    assert titles[0] == 'J&F' and float(values[0]) == pytest.approx(metrics['vos/J&F'], abs=1e-3)
    lines = read_csv(tmp_path / 'out/per_sequence.csv')
    assert [line[0] for line in lines] == ['video', 'bee', 'ant']  # the longer it is, the worse a copy
    objects = read_csv(tmp_path / 'out/per_object.csv')
    assert len(objects) == 5 and {tuple(line[:2]) for line in objects[1:]} == {
        (v, n) for v in ('ant', 'bee') for n in '12'
    }
    printed = capsys.readouterr().out.split()
    assert printed.index('bee') < printed.index('ant') < printed.index('objects', 5)


def test_report_shows_the_worst_first(tmp_path: Path) -> None:
    videos = find_sequences('davis', make_davis(tmp_path / 'davis', {'ant': 6, 'b<e': 12}))
    evaluate(VOSMetric(str(tmp_path / 'out'), show_table=False), videos)
    page = (tmp_path / 'out/report.html').read_text()
    assert 0 < page.index('<b>b&lt;e</b> <span class="dim">J&amp;F') < page.index('<b>ant</b>')
    assert page.count('<polyline') == 4 and '>frame</text>' in page  # two objects in each
    for name in ('ant', 'b<e'):
        with Image.open(tmp_path / f'out/report/{name}.jpg') as strip:
            assert strip.height > 320 and strip.width > 5 * 160  # two rows of five frames
    (late,) = find_sequences('youtube_vos', make_youtube_vos(tmp_path / 'ytvos'))
    evaluate(VOSMetric(str(tmp_path / 'late'), score=False), [late], lambda video: np.zeros((11, 36, 52), np.uint8))
    assert '<b>ab12</b> <span class="dim">not scored' in (tmp_path / 'late/report.html').read_text()


def test_masks_are_written_as_the_server_wants_them(tmp_path: Path) -> None:
    videos = find_sequences('youtube_vos', make_youtube_vos(tmp_path / 'ytvos'))
    metric = VOSMetric(str(tmp_path / 'out'), score=False, archive=True, top_folder='Annotations')
    assert evaluate(metric, videos, lambda video: np.full((11, 36, 52), 4, np.uint8)) == {'vos/archived_masks': 3}
    with zipfile.ZipFile(tmp_path / 'out.zip') as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f'Annotations/ab12/{name}.png' for name in ('00000', '00005', '00010')]
    with Image.open(tmp_path / 'out/ab12/00005.png') as image:
        assert image.mode == 'P' and image.size == (52, 36)
        np.testing.assert_array_equal(np.array(image.getpalette()).reshape(-1, 3)[:5], davis_palette()[:5])
    assert (read_mask(tmp_path / 'out/ab12/00005.png') == 4).all()


def test_a_video_that_cannot_be_scored_is_counted(tmp_path: Path) -> None:
    videos = find_sequences('davis', make_davis(tmp_path, dict(ant=6, bee=6)))
    write_mask(videos[1].masks[0], np.zeros((36, 52), np.uint8))
    metrics = evaluate(VOSMetric(), videos)
    assert metrics['vos/unscored_videos'] == 1
    assert metrics['vos/J&F'] == pytest.approx(evaluate(VOSMetric(), videos[:1])['vos/J&F'])
    with pytest.raises(ValueError, match='none of the videos could be scored'):
        evaluate(VOSMetric(), videos[1:])


def test_an_archive_is_whole_or_not_there(tmp_path: Path) -> None:
    videos = find_sequences('davis', make_davis(tmp_path / 'davis', dict(ant=3)))
    metric = VOSMetric(str(tmp_path / 'out'), archive=True)
    metric.process({}, [dict(sequence=videos[0], pred_masks=predictions(videos[0]))])
    (tmp_path / 'out/ant/00001.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 3 masks to archive are missing, .*00001.png'):
        metric.evaluate(1)
    assert not (tmp_path / 'out.zip').exists()
    with pytest.raises(ValueError, match='archive=True requires out_dir'):
        VOSMetric(archive=True)


def test_masks_are_checked_while_they_are_archived(tmp_path: Path) -> None:
    videos = find_sequences('youtube_vos', make_youtube_vos(tmp_path / 'ytvos'))
    metric = VOSMetric(str(tmp_path / 'out'), score=False, archive=True)
    metric.process({}, [dict(sequence=videos[0], pred_masks=np.full((11, 36, 52), 4, np.uint8))])
    path = tmp_path / 'out/ab12/00005.png'
    (results,) = metric.results
    for values, message in (
        (np.full((36, 52), 2), r'00005.png has the ids \[2\], but those given in ab12 are \[0, 1, 4\]'),
        (np.full((36, 52), 255), r'00005.png has the ids \[255\]'),
        (np.full((10, 52), 4), '00005.png is 10 x 52, but its frame is 36 x 52'),
    ):
        write_mask(path, values)
        with pytest.raises(ValueError, match=message):
            metric.compute_metrics([results])
    Image.fromarray(np.full((36, 52), 4, np.uint8)).save(path)
    with pytest.raises(ValueError, match='00005.png has no palette'):
        metric.compute_metrics([results])
    assert not (tmp_path / 'out.zip').exists()


def test_a_failure_is_named_and_the_others_are_not_lost(tmp_path: Path) -> None:
    videos = find_sequences('davis', make_davis(tmp_path / 'davis', dict(ant=6, bee=6)))
    write_mask(videos[1].masks[2], np.zeros((10, 10), np.uint8))
    metrics = evaluate(VOSMetric(str(tmp_path / 'out')), videos)
    assert metrics['vos/unscored_videos'] == 1
    metric = VOSMetric(str(tmp_path / 'zip'), score=False, archive=True)
    metric.process({}, [dict(sequence=videos[0], pred_masks=predictions(videos[0]))])
    metric.process({}, [dict(sequence=videos[1], failure='its mask is no mask')])
    with pytest.raises(ValueError, match=r"no archive was written because 1 videos failed: \['bee'\]"):
        metric.evaluate(2)


def test_names_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (video,) = find_sequences('davis', make_davis(tmp_path / 'davis', dict(ant=6)))
    metric = VOSMetric(str(tmp_path / 'a/b/out'), score=False, archive=True)
    evil = replace(video, name='../../evil')
    with pytest.raises(ValueError, match='no archive was written because 1 videos failed'):
        evaluate(metric, [evil])
    with pytest.raises(ValueError, match="the name '../../evil' leads out of"):
        write_archive(tmp_path / 'a/b/out', [WrittenMask('../../evil', '00000', (36, 52), frozenset([1]))])
    with pytest.raises(ValueError, match="the name '/tmp/evil.jpg' leads out of"):
        write_strip(tmp_path / 'a/b/out', replace(video, name='/tmp/evil'), predictions(video))
    assert not list(tmp_path.rglob('*evil*'))


def test_gaps_count_in_davis_alone_and_with_a_warning(tmp_path: Path, warnings_logged: list[str]) -> None:
    root = make_davis(tmp_path / 'davis', dict(ant=6))
    (dense,) = find_sequences('davis', root)
    expected = evaluate(VOSMetric(show_table=False), [dense])['vos/J&F']
    for path in dense.masks.values():
        write_mask(path, np.array([0, 1, 5], np.uint8)[read_mask(path)])
    (plain,) = find_sequences('folders', root, frames='JPEGImages/480p', masks='Annotations/480p')
    metric = VOSMetric(str(tmp_path / 'out'), show_table=False)
    assert evaluate(metric, [plain])['vos/J&F'] == pytest.approx(expected)
    assert [line[1] for line in read_csv(tmp_path / 'out/per_object.csv')[1:]] in (['1', '5'], ['5', '1'])
    assert not warnings_logged
    (official,) = find_sequences('davis', root)
    assert evaluate(VOSMetric(show_table=False), [official])['vos/J&F'] == pytest.approx((2 * expected + 300) / 5)
    assert 'ant: the first mask has no objects [2, 3, 4], but one with the id 5' in warnings_logged[0]


def test_objects_that_appear_later_are_named(tmp_path: Path, warnings_logged: list[str]) -> None:
    (video,) = find_sequences('davis', make_davis(tmp_path / 'davis', dict(ant=6)))
    mask = read_mask(video.masks[3])
    mask[-5:, -5:] = 7
    write_mask(video.masks[3], mask)
    evaluate(VOSMetric(show_table=False), [video])
    assert 'ant: these objects appear later than the first mask, so they are not given' in warnings_logged[0]
    assert '7 (from frame 00003)' in warnings_logged[0]
