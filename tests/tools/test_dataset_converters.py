"""Dataset converters on small look-alikes of what the datasets are distributed as."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from mmsigma.datasets import VideoDataset
from mmsigma.io.video import FrameReader
from tests.datasets.clips import index_of, write_video
from tests.tools.converting import lines, read, write


@pytest.fixture
def ucf101(tmp_path: Path) -> Path:
    annotations = tmp_path / 'ucfTrainTestlist'
    write(annotations / 'classInd.txt', '1 ApplyEyeMakeup\n2 HandstandPushups\n')
    makeup, pushups = 'ApplyEyeMakeup/v_ApplyEyeMakeup_g{}_c01.avi', 'HandstandPushups/v_HandStandPushups_g{}_c01.avi'
    for number in (1, 2, 3):
        train = f'{makeup.format("08")} 1\r\n{pushups.format("08")} 2\r\n{pushups.format("09")} 2\r\n'
        write(annotations / f'trainlist0{number}.txt', train)
        write(annotations / f'testlist0{number}.txt', f'{makeup.format("01")}\n{pushups.format("01")}\n')
    for group in ('01', '08'):
        write(tmp_path / 'videos' / makeup.format(group))
        write(tmp_path / 'videos' / 'HandStandPushups' / f'v_HandstandPushups_g{group}_c01.avi')
    return tmp_path


def test_ucf101(ucf101: Path, convert) -> None:
    result = convert('ucf101')
    assert result.status == 0, result.errors
    assert read(ucf101, 'train_split1') == [
        ('videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi', 0),
        ('videos/HandStandPushups/v_HandstandPushups_g08_c01.avi', 1),
    ]
    assert [label for _, label in read(ucf101, 'test_split3')] == [0, 1]
    assert lines(ucf101 / 'classes.txt') == ['ApplyEyeMakeup', 'HandstandPushups']
    assert lines(ucf101 / 'train_split2_missing.txt') == ['HandstandPushups/v_HandStandPushups_g09_c01.avi']
    assert not (ucf101 / 'test_split1_missing.txt').exists()
    assert 'train_split1: 2 files, 2 classes; 1 of 3 missing' in result.output
    assert 'lists 3, published are 9,537' in result.output


def test_strict_writes_what_is_missing_and_no_list(ucf101: Path, convert) -> None:
    write(ucf101 / 'train_split1.txt', 'precious')
    result = convert('ucf101', '--strict')
    assert result.status == 1 and '1 of 3 files of train_split1 are missing' in result.errors
    assert (ucf101 / 'train_split1.txt').read_text() == 'precious' and not (ucf101 / 'classes.txt').exists()
    assert (ucf101 / 'train_split1_missing.txt').exists()
    write(ucf101 / 'videos' / 'v_HandstandPushups_g09_c01.avi')
    assert convert('ucf101', '--strict').status == 0
    assert not (ucf101 / 'train_split1_missing.txt').exists() and len(read(ucf101, 'train_split1')) == 3


def test_missing_videos_keep_their_places(ucf101: Path, convert, tmp_path: Path) -> None:
    (ucf101 / 'videos' / 'ApplyEyeMakeup' / 'v_ApplyEyeMakeup_g08_c01.avi').unlink()
    result = convert('ucf101', '--keep-missing')
    assert result.status == 0 and '2 of 3 missing, listed in train_split1_missing.txt' in result.output
    assert lines(ucf101 / 'train_split1.txt') == [
        'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 0',
        'videos/HandStandPushups/v_HandstandPushups_g08_c01.avi 1',
        'HandstandPushups/v_HandStandPushups_g09_c01.avi 1',
    ]
    assert len(lines(ucf101 / 'train_split1_missing.txt')) == 2
    assert convert('ucf101', '--keep-missing', '--out', tmp_path / 'out').status == 0
    moved = lines(tmp_path / 'out' / 'train_split1.txt')
    assert moved == [f'../{line}' for line in lines(ucf101 / 'train_split1.txt')]


def test_no_video_at_all_is_an_error(ucf101: Path, convert) -> None:
    write(ucf101 / 'other' / 'cat.mp4')
    result = convert('ucf101', '--videos', 'other')
    assert result.status == 1 and '3 of 3 files' in result.errors and '--videos' in result.errors
    assert convert('ucf101', '--videos', 'nowhere').status == 1


def test_listed_videos_are_decoded(ucf101: Path, convert) -> None:
    write_video(ucf101 / 'videos' / 'ApplyEyeMakeup' / 'v_ApplyEyeMakeup_g08_c01.avi', 12, 'mpeg4', b_frames=0)
    assert convert('ucf101').status == 0
    read_clip = dict(
        type='ReadClip', decoder='pyav', sampling=dict(type='SampleDenseClip', clip_len=4, frame_interval=2)
    )
    dataset = VideoDataset([read_clip], 'train_split1.txt', data_root=str(ucf101), test_mode=True)
    sample = dataset[0]
    assert sample['label'] == 0 and len(sample['imgs']) == 4 and sample['total_frames'] == 12


@pytest.mark.parametrize(
    ('file', 'content'),
    [
        ('classInd.txt', '0 ApplyEyeMakeup\n1 HandstandPushups\n'),
        ('trainlist01.txt', 'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 2\n'),
        ('trainlist01.txt', 'Archery/v_Archery_g08_c01.avi 3\n'),
        ('testlist02.txt', '\n'),
    ],
)
def test_ucf101_annotations_that_contradict_themselves(ucf101: Path, convert, file: str, content: str) -> None:
    write(ucf101 / 'ucfTrainTestlist' / file, content)
    result = convert('ucf101')
    assert result.status == 1 and file in result.errors and not list(ucf101.glob('*.txt'))


def test_linked_folders_are_searched_once(ucf101: Path, convert) -> None:
    (ucf101 / 'videos').rename(ucf101.parent / f'{ucf101.name}_elsewhere')
    (ucf101 / 'videos').symlink_to(ucf101.parent / f'{ucf101.name}_elsewhere')
    (ucf101 / 'videos' / 'loop').symlink_to(ucf101)
    assert convert('ucf101').status == 0
    assert len(read(ucf101, 'train_split1')) == 2


def test_hmdb51(tmp_path: Path, convert) -> None:
    annotations = tmp_path / 'testTrainMulti_7030_splits'
    for name in ('wave', 'brush_hair'):
        for number in (1, 2, 3):
            flags = ''.join(f'{letter}#1.avi {(place + number) % 3} \n' for place, letter in enumerate('abc'))
            write(annotations / f'{name}_test_split{number}.txt', flags)
        for letter in 'abc':
            write(tmp_path / name / f'{letter}#1.avi')
    (tmp_path / 'wave' / 'b#1.avi').unlink()
    result = convert('hmdb51')
    assert result.status == 0, result.errors
    # split 1: a trains (1), b tests (2), c is unused (0)
    assert read(tmp_path, 'train_split1') == [('brush_hair/a#1.avi', 0), ('wave/a#1.avi', 1)]
    assert read(tmp_path, 'test_split1') == [('brush_hair/b#1.avi', 0)]
    assert lines(tmp_path / 'test_split1_missing.txt') == ['wave/b#1.avi']
    assert read(tmp_path, 'test_split2') == [('brush_hair/a#1.avi', 0), ('wave/a#1.avi', 1)]
    assert lines(tmp_path / 'classes.txt') == ['brush_hair', 'wave']
    write(annotations / 'wave_test_split3.txt', 'a.avi 3\n')
    broken = convert('hmdb51')
    assert broken.status == 1 and 'wave_test_split3.txt' in broken.errors


@pytest.fixture
def ssv2(tmp_path: Path) -> Path:
    root = tmp_path / 'sthv2'
    templates = ['Pushing [something] left', 'Holding [something] next to [something]', 'Moving [part] of [something]']
    labels = {
        'Holding something next to something': '0',
        'Moving part of something': '1',
        'Pushing something left': '2',
    }
    write(root / 'annotations' / 'something-something-v2-labels.json', json.dumps(labels))
    for name, ids in (('train', (11, 12, 13)), ('validation', (21, 22, 23))):
        entries = [
            dict(id=str(number), label='x', template=template, placeholders=['a cup'])
            for number, template in zip(ids, templates, strict=True)
        ]
        write(root / 'annotations' / f'something-something-v2-{name}.json', json.dumps(entries))
    for number in (11, 12, 13, 21, 22):
        write(root / 'videos' / f'{number}.{"mp4" if number == 12 else "webm"}')
    return root


def test_ssv2(ssv2: Path, run_tool) -> None:
    result = run_tool('tools/dataset_converters/ssv2.py', ssv2)
    assert result.status == 0, result.errors
    assert read(ssv2, 'train') == [('videos/11.webm', 2), ('videos/12.mp4', 0), ('videos/13.webm', 1)]
    assert read(ssv2, 'val') == [('videos/21.webm', 2), ('videos/22.webm', 0)]
    assert lines(ssv2 / 'val_missing.txt') == ['23']
    assert lines(ssv2 / 'classes.txt')[1] == 'Moving part of something'
    assert 'published are 168,913' in result.output


def test_mini_ssv2_in_a_folder_of_its_own(ssv2: Path, run_tool, tmp_path: Path) -> None:
    run = partial(run_tool, 'tools/dataset_converters/ssv2.py', ssv2, '--out', tmp_path / 'mini')
    classes = write(tmp_path / 'mini.txt', 'Pushing something left\nHolding something next to something\n')
    assert run('--classes', classes).status == 0
    dataset = VideoDataset([], 'train.txt', data_root=str(tmp_path / 'mini'), data_prefix=dict(video=''))
    samples = [dataset[index] for index in range(len(dataset))]
    assert [(Path(s['filename']).resolve(), s['label']) for s in samples] == [
        (ssv2 / 'videos' / '11.webm', 0),
        (ssv2 / 'videos' / '12.mp4', 1),
    ]
    by_id = run('--ids', write(tmp_path / 'ids.txt', '13\n11 1\n21\n'))
    assert by_id.status == 0 and 'published' not in by_id.output
    assert [line.split()[1] for line in lines(tmp_path / 'mini' / 'train.txt')] == ['1', '0']
    assert lines(tmp_path / 'mini' / 'classes.txt') == ['Moving part of something', 'Pushing something left']
    unknown = run('--classes', write(tmp_path / 'mini.txt', 'Flying\n'))
    assert unknown.status == 1 and 'Flying' in unknown.errors


def test_ssv2_template_without_a_label(ssv2: Path, run_tool) -> None:
    write(ssv2 / 'annotations' / 'something-something-v2-labels.json', '{"Pushing something left": "0"}')
    result = run_tool('tools/dataset_converters/ssv2.py', ssv2)
    assert result.status == 1 and '2 classes have no label' in result.errors
    write(ssv2 / 'annotations' / 'labels.json', '{}')
    assert 'several files' in run_tool('tools/dataset_converters/ssv2.py', ssv2).errors


@pytest.fixture
def kinetics(tmp_path: Path) -> Path:
    header = 'label,youtube_id,time_start,time_end,split\n'
    train = 'zumba,aaaaaaaaaaa,1,11,train\nair drumming,bbb_bb-bbbb,20,30,train\n"a, b",ccccccccccc,0,10,train\n'
    write(tmp_path / 'annotations' / 'train.csv', header + train)
    write(
        tmp_path / 'annotations' / 'validate.csv', header + 'zumba,ddddddddddd,1,11,val\nzumba,eeeeeeeeeee,3,13,val\n'
    )
    write(tmp_path / 'train' / 'zumba' / 'aaaaaaaaaaa_000001_000011.mp4')
    write(tmp_path / 'train' / 'air drumming' / 'bbb_bb-bbbb.mkv')
    write(tmp_path / 'train' / 'a, b' / 'ccccccccccc_000000_000010.mp4')
    write(tmp_path / 'val' / 'zumba' / 'ddddddddddd_000001_000011.mp4')
    return tmp_path


def test_kinetics(kinetics: Path, convert) -> None:
    result = convert('kinetics')
    assert result.status == 0, result.errors
    assert read(kinetics, 'train') == [
        ('train/zumba/aaaaaaaaaaa_000001_000011.mp4', 2),
        ('train/air drumming/bbb_bb-bbbb.mkv', 1),
        ('train/a, b/ccccccccccc_000000_000010.mp4', 0),
    ]
    assert read(kinetics, 'val') == [('val/zumba/ddddddddddd_000001_000011.mp4', 2)]
    assert lines(kinetics / 'val_missing.txt') == ['eeeeeeeeeee_000003_000013']
    assert lines(kinetics / 'classes.txt') == ['a, b', 'air drumming', 'zumba']


def test_mini_kinetics(kinetics: Path, convert) -> None:
    ids = write(kinetics / 'ids.txt', 'aaaaaaaaaaa\nccccccccccc\nddddddddddd\n')
    assert convert('kinetics', '--ids', ids, '--strict').status == 0
    assert [label for _, label in read(kinetics, 'train')] == [1, 0]
    assert [label for _, label in read(kinetics, 'val')] == [1]
    assert convert('kinetics', '--classes', write(kinetics / 'c.txt', 'zumba\n')).status == 0
    assert [label for _, label in read(kinetics, 'train')] == [0]
    assert lines(kinetics / 'classes.txt') == ['zumba']


def test_kinetics_csv_of_another_kind(kinetics: Path, convert) -> None:
    write(kinetics / 'annotations' / 'train.csv', 'youtube_id,time_start,time_end,split\nx,1,2,test\n')
    result = convert('kinetics')
    assert result.status == 1 and "lacks the columns ['label']" in result.errors
    write(kinetics / 'annotations' / 'train.csv', 'label,youtube_id,time_start,time_end\nzumba,x,soon,2\n')
    assert 'train.csv, line 2' in convert('kinetics').errors


@pytest.mark.parametrize(('file', 'ending'), [('_org', ''), ('', '.avi'), ('_element_v1.0', '')])
def test_finegym(tmp_path: Path, convert, file: str, ending: str) -> None:
    names = [f'-{number}abc_de{number}.f_E_002407_002435_A_0003_000{number}' for number in range(4)]
    write(
        tmp_path / 'lists' / f'gym99_train{file}.txt',
        ''.join(f'{n}{ending} {9 * i}\n' for i, n in enumerate(names[:3])),
    )
    write(tmp_path / 'lists' / f'gym99_val{file}.txt', f'{names[3]}{ending} 98\n')
    for name in (names[0], names[2], names[3]):
        write(tmp_path / 'clips' / f'{name}.mp4')
    result = convert('finegym', '--annotations', tmp_path / 'lists')
    assert result.status == 0, result.errors
    assert read(tmp_path, 'gym99_train') == [(f'clips/{names[0]}.mp4', 0), (f'clips/{names[2]}.mp4', 18)]
    assert read(tmp_path, 'gym99_val') == [(f'clips/{names[3]}.mp4', 98)]
    assert lines(tmp_path / 'gym99_train_missing.txt') == [names[1]]
    assert 'lists 3, published are 20,484' in result.output and 'lists 1, published are 8,521' in result.output
    assert len(lines(tmp_path / 'classes.txt')) == 99
    kept = convert('finegym', '--annotations', tmp_path / 'lists', '--keep-missing')
    # a fixed subset depends on the order, which is that of the annotation
    assert kept.status == 0 and lines(tmp_path / 'gym99_train.txt')[1] == f'{names[1]} 9'
    write(tmp_path / 'lists' / f'gym99_val{file}.txt', f'{names[3]} 99\n')
    assert 'has label 99' in convert('finegym', '--annotations', tmp_path / 'lists').errors


def test_finegym_cuts_elements_out_of_whole_videos(tmp_path: Path, convert) -> None:
    root, whole = tmp_path, tmp_path / 'youtube'
    segments = {f'A_000{n}_000{n + 1}': dict(stages=1, timestamps=[[n / 2, n / 2 + 0.5]]) for n in range(3)}
    events = {'E_000001_000003': dict(event=1, timestamps=[[1, 3]], segments=segments)}
    write(root / 'lists' / 'finegym_annotation_info_v1.1.json', json.dumps({'aaa': events, 'bbb': events}))
    names = [f'{video}_E_000001_000003_A_000{n}_000{n + 1}' for video in ('aaa', 'bbb') for n in range(3)]
    write(root / 'lists' / 'gym99_train_element_v1.0.txt', ''.join(f'{name} 0\n' for name in (*names[:2], names[3])))
    write(root / 'lists' / 'gym99_val_element.txt', f'{names[2]} 1\nccc_E_1_2_A_1_2 2\n')
    write(root / 'videos' / f'{names[0]}.avi')  # is left as it is
    whole.mkdir()
    write_video(whole / 'aaa.mp4', 28)
    result = convert('finegym', '--annotations', root / 'lists', '--full-videos', whole, '--short-side', 24)
    assert result.status == 0, result.errors
    assert '1 whole videos are missing, 0 elements could not be cut' in result.output
    assert 'gym99_val: 1 elements are not in the annotation' in result.output
    assert lines(root / 'gym99_val_unannotated.txt') == ['ccc_E_1_2_A_1_2']
    assert read(root, 'gym99_train') == [(f'videos/{names[0]}.avi', 0), (f'videos/{names[1]}.mp4', 0)]
    assert read(root, 'gym99_val') == [(f'videos/{names[2]}.mp4', 1)]
    cut = FrameReader(root / 'videos' / f'{names[1]}.mp4')
    assert [index_of(frame) for frame in cut] == [15, 16, 17, 18, 19] and cut.read(0).shape == (24, 32, 3)
    assert lines(root / 'gym99_train_cuts.csv')[-1] == f'{names[3]},bbb,1.000,1.500'
    # an element of which the whole video has nothing, and an annotation without videos to cut
    (root / 'videos' / f'{names[2]}.mp4').unlink()
    write_video(whole / 'aaa.mp4', 15)
    result = convert('finegym', '--annotations', root / 'lists', '--full-videos', whole)
    assert '1 elements could not be cut' in result.output and 'there is no frame' in result.output
    (root / 'lists' / 'finegym_annotation_info_v1.1.json').unlink()
    failed = convert('finegym', '--annotations', root / 'lists', '--full-videos', whole)
    assert failed.status == 1 and 'no finegym_annotation_info*.json' in failed.errors


def test_finegym_does_not_overwrite_its_source(tmp_path: Path, convert) -> None:
    write(tmp_path / 'a_E_1_2_A_1_2.mp4')
    for part in ('train', 'val'):
        write(tmp_path / f'gym99_{part}.txt', 'a_E_1_2_A_1_2 0\n')
    result = convert('finegym', '--annotations', tmp_path)
    assert result.status == 1 and 'would be overwritten' in result.errors


def test_charades(tmp_path: Path, convert) -> None:
    header = 'id,subject,actions,length\n'
    write(tmp_path / 'Charades_v1_train.csv', header + 'AAAAA,x,c092 11.90 21.20;c147 0.00 12.60,24.8\nBBBBB,y,,3\n')
    write(tmp_path / 'Charades_v1_test.csv', header + 'CCCCC,x,c156 0 1,2\n')
    write(tmp_path / 'Charades_v1_classes.txt', 'c000 Holding some clothes\nc001 Putting clothes somewhere\n')
    write(tmp_path / 'videos' / 'AAAAA.mp4')
    write(tmp_path / 'rgb' / 'AAAAA' / 'AAAAA-000001.jpg')
    for name in ('BBBBB', 'CCCCC'):
        write(tmp_path / 'rgb' / name / f'{name}-000001.jpg')
    failed = convert('charades', '--videos', 'videos')
    assert failed.status == 1 and '1 of 1 files of test' in failed.errors
    assert lines(tmp_path / 'train_missing.txt') == ['BBBBB']
    result = convert('charades', '--videos', 'rgb', '--frames', '--strict')
    assert result.status == 0, result.errors
    assert 'Charades_v1_train.csv: 2 actions of 2 classes, 1 videos without any' in result.output
    assert 'train: 2 files; the annotation lists 2, published are 7,985' in result.output
    assert lines(tmp_path / 'classes.txt') == ['Holding some clothes', 'Putting clothes somewhere']
    assert not (tmp_path / 'train.txt').exists() and not (tmp_path / 'train_missing.txt').exists()
    write(tmp_path / 'Charades_v1_test.csv', header + 'CCCCC,x,c157 0 1,2\n')
    assert 'CCCCC' in convert('charades', '--videos', 'rgb', '--frames').errors


def test_ucfrep(tmp_path: Path, convert) -> None:
    for part, bounds in (('train', [1, 5, 9]), ('val', [1, 4, 8, 12])):
        for name in ('v_Biking_g01_c01', 'v_HandStandPushups_g01_c01'):
            label = dict(start_frame=1, end_frame=20, temporal_bound=np.array(bounds, np.uint8)[:, None])
            (tmp_path / part).mkdir(exist_ok=True)
            savemat(tmp_path / part / f'{name}.mat', {'label': label})
    write(tmp_path / 'videos' / 'HandstandPushups' / 'v_HandstandPushups_g01_c01.avi')
    result = convert('ucfrep')
    assert result.status == 0, result.errors
    assert 'train: 2 to 2 repetitions, mean 2.0' in result.output and 'val: 3 to 3' in result.output
    assert 'train: 1 files; 1 of 2 missing' in result.output and 'published are 105' in result.output
    assert lines(tmp_path / 'val_missing.txt') == ['v_Biking_g01_c01']
    assert convert('ucfrep', '--strict').status == 1
