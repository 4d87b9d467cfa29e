"""Files of video segmentation datasets: found where their authors put them, and named where they are missing."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from mmsigma.datasets.vos.sequences import find_sequences
from mmsigma.io.masks import write_mask
from tests.vos_data import draw_video, make_davis, make_vip, make_youtube_vos, write_frames


def test_davis_2017(tmp_path: Path) -> None:
    root = make_davis(tmp_path, dict(zebra=4, ant=3))
    zebra, ant = find_sequences('davis', root)
    assert [zebra.name, ant.name] == ['zebra', 'ant']  # in the order of the list
    assert [path.stem for path in zebra.frames] == ['00000', '00001', '00002', '00003']
    assert zebra.given == (0,) and zebra.wanted == (0, 1, 2, 3) and sorted(zebra.masks) == [0, 1, 2, 3]
    frames, masks = draw_video(4, 2, seed=0)
    np.testing.assert_array_equal(zebra.read_frame(2), frames[2])
    np.testing.assert_array_equal(zebra.read_mask(2), masks[2])


def test_davis_2016_has_one_object(tmp_path: Path) -> None:
    (video,) = find_sequences('davis', make_davis(tmp_path, dict(ant=3), year=2016), year=2016)
    assert set(np.unique(video.read_mask(0))) == {0, 1}


def test_lists_of_2016_name_files(tmp_path: Path) -> None:
    root = make_davis(tmp_path, dict(ant=3), year=2016)
    lines = (f'/JPEGImages/480p/ant/{n:05d}.jpg /Annotations/480p/ant/{n:05d}.png' for n in range(3))
    (root / 'ImageSets/2016/val.txt').write_text('\n'.join(lines))
    assert [video.name for video in find_sequences('davis', root, year=2016)] == ['ant']


def test_first_mask_alone_is_enough(tmp_path: Path) -> None:
    root = make_davis(tmp_path, dict(ant=4))
    for path in sorted((root / 'Annotations/480p/ant').iterdir())[1:]:
        path.unlink()
    (video,) = find_sequences('davis', root)
    assert sorted(video.masks) == [0] and len(video.frames) == 4


def test_frames_with_unpadded_numbers(tmp_path: Path) -> None:
    frames, masks = draw_video(12)
    write_frames(tmp_path / 'JPEGImages/ant', frames, [str(number) for number in range(12)])
    write_mask(tmp_path / 'Annotations/ant/0.png', masks[0])
    (video,) = find_sequences('folders', tmp_path)
    assert [path.stem for path in video.frames] == [str(number) for number in range(12)]


def test_youtube_vos(tmp_path: Path) -> None:
    root = make_youtube_vos(tmp_path, length=11, late=5)
    (every,) = find_sequences('youtube_vos', root)
    assert (len(every.frames), every.given, every.wanted) == (11, (0, 5), (0, 5, 10))
    (fifth,) = find_sequences('youtube_vos', root, all_frames=False)
    assert (len(fifth.frames), fifth.given, fifth.wanted) == (3, (0, 1), (0, 1, 2))
    assert fifth.masks[1].stem == '00005'


@pytest.mark.parametrize('published', [True, False])
def test_vip(published: bool, tmp_path: Path) -> None:
    root = make_vip(tmp_path, dict(videos7=4, videos2=3), published)
    seven, two = find_sequences('vip', root)
    assert (seven.name, two.name) == ('videos7', 'videos2')
    assert seven.given == (0,) and sorted(seven.masks) == [0, 1, 2, 3] == list(seven.wanted)
    assert set(np.unique(seven.read_mask(1))) == {0, 2, 13, 255}
    shutil.rmtree(seven.masks[0].parents[1])
    with pytest.raises(FileNotFoundError, match='has no Category_ids or Annotations/Category_ids: set data_root'):
        find_sequences('vip', root)
    with pytest.raises(FileNotFoundError, match='lists/test_videos.txt does not exist'):
        find_sequences('vip', root, split='test')


def test_plain_folders(tmp_path: Path) -> None:
    davis = make_davis(tmp_path / 'davis', dict(ant=3))
    for kind in ('JPEGImages', 'Annotations'):
        shutil.move(davis / kind / '480p', tmp_path / 'mine' / kind)
    (video,) = find_sequences('folders', tmp_path / 'mine')
    assert (video.name, len(video.frames), video.given) == ('ant', 3, (0,))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'ImageSets/2017/val.txt does not exist: set data_root'):
        find_sequences('davis', tmp_path)
    root = make_davis(tmp_path / 'davis', dict(ant=3, bee=3, cow=3))
    with pytest.raises(FileNotFoundError, match=r'test.txt does not exist; of the lists there, val, name one as split'):
        find_sequences('davis', root, split='test')
    (root / 'Annotations/480p/bee/00000.png').unlink()
    shutil.rmtree(root / 'JPEGImages/480p/cow')
    with pytest.raises(FileNotFoundError, match='2 of 3 videos .* lack frames or masks, .*: bee, cow'):
        find_sequences('davis', root)
    root = make_youtube_vos(tmp_path / 'ytvos')
    (root / 'valid_all_frames/JPEGImages/ab12/00010.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 1 videos .*: ab12'):
        find_sequences('youtube_vos', root)
    with pytest.raises(ValueError, match="layout must be one of .*'mose'"):
        find_sequences('mose', root)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    (video,) = find_sequences('davis', make_davis(tmp_path, dict(ant=3)))
    video.frames[1].write_bytes(b'no picture')
    with pytest.raises(ValueError, match='00001.png cannot be read as an image'):
        video.read_frame(1)


def test_parts_that_are_missing_are_not_overlooked(tmp_path: Path) -> None:
    root = make_davis(tmp_path / 'davis', dict(ant=4, bee=4, cow=4))
    (root / 'JPEGImages/480p/ant/00002.png').unlink()
    (root / 'Annotations/480p/bee/00003.png').unlink()
    with pytest.raises(FileNotFoundError, match='2 of 3 videos .*: ant, bee'):
        find_sequences('davis', root)
    root = make_youtube_vos(tmp_path / 'ytvos')
    (root / 'valid/Annotations/ab12/00005.png').unlink()  # the only mask of object 4
    with pytest.raises(FileNotFoundError, match='1 of 1 videos .*: ab12'):
        find_sequences('youtube_vos', root)


NAMES = ('clip.v2', 'my clip', 'a.b c.d', 'ends.jpg', 'v_éü', '5')


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_names_with_dots_and_spaces(tmp_path: Path, encoding: str) -> None:
    lengths = dict.fromkeys(NAMES, 3)
    for layout, root in (('davis', make_davis(tmp_path / 'a', lengths)), ('vip', make_vip(tmp_path / 'b', lengths))):
        for path in root.rglob('val*.txt'):
            path.write_bytes('\r\n'.join(path.read_text().splitlines()).encode(encoding))
        assert tuple(video.name for video in find_sequences(layout, root)) == NAMES
    old = make_davis(tmp_path / 'c', lengths, year=2016)
    files = '/JPEGImages/480p/{0}/{1:05d}.jpg /Annotations/480p/{0}/{1:05d}.png'
    lines = (files.format(name, number) for name in NAMES for number in (0, 1))
    (old / 'ImageSets/2016/val.txt').write_bytes('\r'.join(lines).encode(encoding))
    assert tuple(video.name for video in find_sequences('davis', old, year=2016)) == NAMES
    root = make_youtube_vos(tmp_path / 'd')
    for path in list(root.rglob('ab12')):
        path.rename(path.with_name('clip.v2 b'))
    text = (root / 'valid/meta.json').read_text().replace('ab12', 'clip.v2 b')
    (root / 'valid/meta.json').write_bytes(text.encode(encoding))
    assert [video.name for video in find_sequences('youtube_vos', root)] == ['clip.v2 b']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[]', 'meta.json is not the meta.json of YouTube-VOS: it has no object "videos"'),
        ('{"videos": {"a": {}}}', 'meta.json: the video \'a\' has no "objects" with ids from 1 to 254'),
        ('{"videos": {"a": {"objects": {"x": {}}}}}', "the video 'a' has no"),
        ('{"videos": {"a": {"objects": {"300": {}}}}}', "the video 'a' has no"),
        ('{"videos": {"a": {}, "a": {}}}', "has the key 'a' twice"),
        ('{"videos": ', 'meta.json, line 1 is not JSON'),
    ],
)
def test_annotations_of_another_form_are_named(tmp_path: Path, text: str, message: str) -> None:
    root = make_youtube_vos(tmp_path)
    (root / 'valid/meta.json').write_text(text)
    with pytest.raises(ValueError, match=message):
        find_sequences('youtube_vos', root)


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    root = make_youtube_vos(tmp_path / 'a')
    meta = root / 'valid/meta.json'
    meta.write_text(meta.read_text().replace('ab12', '../x/evil'))
    vip = make_vip(tmp_path / 'b', dict(one=3))
    (vip / 'lists/val_videos.txt').write_text('../x/evil\n')
    davis = make_davis(tmp_path / 'c', dict(one=3))
    (davis / 'ImageSets/2017/val.txt').write_text('../x/evil\n')
    for layout, folder in (('youtube_vos', root), ('vip', vip), ('davis', davis)):
        with pytest.raises(ValueError, match="the name '../x/evil' leads out of .*: rename it in the list"):
            find_sequences(layout, folder)
