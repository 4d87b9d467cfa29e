"""Lists of videos in all their shapes, and refusal of those that are not understood."""

from pathlib import Path

import pytest

from mmsigma.datasets.videos.video_list import read_entries, read_video_list


def write_list(folder: Path, *lines: str, name: str = 'list.txt', encoding: str = 'utf-8') -> Path:
    path = folder / name
    path.write_text('\n'.join(lines) + '\n', encoding=encoding)
    return path


class TestLists:
    @pytest.mark.parametrize(
        ('line', 'entry'),
        [
            ('a.mp4 3', ('a.mp4', 3)),
            ('a.mp4 0', ('a.mp4', 0)),
            ('a.mp4 -1', ('a.mp4', -1)),
            ('a.mp4', ('a.mp4', -1)),
            ('  a.mp4\t3  ', ('a.mp4', 3)),
            ('a.mp4,3', ('a.mp4', 3)),
            ('a.mp4, 3', ('a.mp4', 3)),
            ('a.mp4;3', ('a.mp4', 3)),
            ('"a, ""b"" 7",3', ('a, "b" 7', 3)),
            ('a\x85b.mp4 3', ('a\x85b.mp4', 3)),
            ('some class/a video 2.MP4 17', ('some class/a video 2.MP4', 17)),
            ('some class/a video 2.webm', ('some class/a video 2.webm', -1)),
            ('a.mp4.mkv 5', ('a.mp4.mkv', 5)),
            ('a, b.avi 5', ('a, b.avi', 5)),
            ('/data/v_éü.mp4 5', ('/data/v_éü.mp4', 5)),
            ('folder/of frames 5', ('folder/of frames', 5)),
            ('clip.ogv 12', ('clip.ogv', 12)),
        ],
    )
    def test_lines(self, tmp_path: Path, line: str, entry: tuple[str, int]) -> None:
        assert read_video_list(write_list(tmp_path, line, '', 'z.mp4 1')) == [entry, ('z.mp4', 1)]

    @pytest.mark.parametrize('delimiter', [',', ';', '\t', ', '])
    @pytest.mark.parametrize('columns', ['path label', 'filename class_id', 'Video Target', '"file" "class"'])
    def test_csv_with_header(self, tmp_path: Path, delimiter: str, columns: str) -> None:
        lines = [columns.split(), ['a.mp4', '3'], ['"with; , delimiters.mp4"', '4']]
        path = write_list(tmp_path, *(delimiter.join(line) for line in lines))
        assert read_video_list(path) == [('a.mp4', 3), ('with; , delimiters.mp4', 4)]

    def test_csv_with_columns_in_any_order(self, tmp_path: Path) -> None:
        path = write_list(tmp_path, 'label,split,path,duration', '3,train,a b.mp4,1.5', '4,val,c.mp4,2')
        assert read_video_list(path) == [('a b.mp4', 3), ('c.mp4', 4)]

    def test_csv_without_labels(self, tmp_path: Path) -> None:
        assert read_video_list(write_list(tmp_path, 'path,duration', 'a.mp4,1.5')) == [('a.mp4', -1)]

    @pytest.mark.parametrize('first', ['a.mp4 3', 'path,label'])
    def test_byte_order_mark_and_windows_line_ends(self, tmp_path: Path, first: str) -> None:
        path = write_list(tmp_path, first + '\r', 'b.mp4,4\r', encoding='utf-8-sig')
        expected = [('a.mp4', 3), ('b.mp4', 4)] if first.startswith('a') else [('b.mp4', 4)]
        assert read_video_list(path) == expected

    @pytest.mark.parametrize(
        ('lines', 'message'),
        [
            (['a.mp4 1', '', 'b.ogv'], "list.txt, line 3: 'b.ogv' is not understood; known are"),
            (['a.mp4 1', 'b.ogv one'], "line 2: 'b.ogv one' is not understood"),
            (['a.mp4 one'], "line 1: 'a.mp4 one' is not understood"),
            (['a.mp4 1', 'b.mp4 300 1'], 'list.txt, line 2: .* known are .*"folder frames label" for folders'),
            (['a.mp4 1', 'b.mp4,1,300'], 'list.txt, line 2: .* known are'),
            (['a.mp4 1 300 1.5'], 'line 1: .* known are'),
            (['a.mp4 1,4,7'], 'line 1: .*several labels "path 1,4,7" with multi_class=True'),
            (['a.mp4 1 4 7'], 'line 1: .* known are'),
            (['a.mp4 1.0'], 'line 1: .* known are'),
            (['a.mp4,'], 'line 1: .* known are'),
            (['a.mp4,,1'], 'line 1: .* known are'),
            (['folder 0 163 1'], 'line 1: .* known are'),
            (['folder 1,4,7'], 'line 1: .* known are'),
            (['folder 163 1,4'], 'line 1: .* known are'),
            (['folder 163 1', 'other 2'], 'line 1: .* known are'),
            (['folder 0 1'], 'line 1: .* known are'),
            (['path frames label', 'a.mp4 3 1'], "line 1: 'path frames label' is not understood"),
            (['a.mp4 9999999999999999999'], 'line 1: the label 9999999999999999999 is out of range'),
            (['a.mp4 -2'], 'line 1: the label -2 is out of range'),
            (['path,label', 'a.mp4,4294967296'], 'line 2: the label 4294967296 is out of range'),
            (['path,label', 'a.mp4,1_0'], "line 2: the label '1_0' is not an integer"),
            (['a.mp4 1', 'b.mp4 2', './a.mp4 3'], 'line 3: ./a.mp4 has the label 3, but 1 in line 1: keep one'),
            (['path,label', 'a.mp4,1', 'a.mp4,2'], 'line 3: a.mp4 has the label 2, but 1 in line 2'),
            (['path,label,label', 'a.mp4,1,2'], "line 1: two columns are called 'label'"),
            (['path,label,class', 'a.mp4,1,2'], r"the columns \['label', 'class'\] mean the same: keep one"),
            (['path,video,label', 'a.mp4,b.mp4,2'], r"the columns \['path', 'video'\] mean the same"),
            (['path,label', 'a, b.mp4,2'], r'line 2 has 3 cells, but there are 2 columns'),
            (['path,label', 'a.mp4,1', 'b.mp4,x'], "list.txt, line 3: the label 'x' is not an integer"),
            (['path,label', 'a.mp4'], 'line 2 has 1 cells, but there are 2 columns'),
            (['label,path', '1,a.mp4', '2'], 'list.txt, line 3 has 1 cells'),
            (['label,path', '1,a.mp4', '2,'], "list.txt, line 3: the column 'path' is empty"),
            (['', 'path,label', 'a.mp4,x'], "line 3: the label 'x'"),
            (['', '  '], 'list.txt is empty'),
            (['path,label'], 'list.txt has a header but no video'),
        ],
    )
    def test_faults_are_located(self, tmp_path: Path, lines: list[str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            read_video_list(write_list(tmp_path, *lines))

    @pytest.mark.parametrize('encoding', ['utf-16', 'utf-8-sig'])
    @pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
    def test_encodings_and_line_ends(self, tmp_path: Path, encoding: str, end: str) -> None:
        path = tmp_path / 'list.txt'
        path.write_bytes(f'é x.mp4\t3{end}b.mp4 4{end}'.encode(encoding))
        assert read_video_list(path) == [('é x.mp4', 3), ('b.mp4', 4)]

    def test_latin_1_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r'list\.txt, line 2 is not UTF-8 text'):
            read_video_list(write_list(tmp_path, 'a.mp4 1', 'é.mp4 2', encoding='latin-1'))

    def test_the_same_line_twice_is_no_contradiction(self, tmp_path: Path) -> None:
        assert len(read_video_list(write_list(tmp_path, 'a.mp4 1', 'a.mp4 1'))) == 2


class TestFolders:
    @pytest.mark.parametrize(('separator', 'name'), [(' ', 'v_2'), ('\t', 'v 2'), (',', 'v_2'), (', ', 'v_2')])
    def test_numbers_of_frames(self, tmp_path: Path, separator: str, name: str) -> None:
        rows = (['v_1', '163', '1'], [f'some dir/{name}', '90', '0'])
        path = write_list(tmp_path, *map(separator.join, rows))
        assert [entry[:3] for entry in read_entries(path)] == [('v_1', (1,), 163), (f'some dir/{name}', (0,), 90)]

    def test_what_is_on_disk_decides_where_both_are_possible(self, tmp_path: Path) -> None:
        path = write_list(tmp_path, 'run 12 5', 'run 13 5')
        assert [entry.path for entry in read_entries(path, tmp_path)] == ['run', 'run']
        (tmp_path / 'run 12').mkdir()
        with pytest.raises(ValueError, match="line 2: 'run 13 5' is not understood"):
            read_entries(path, tmp_path)
        (tmp_path / 'run 13').mkdir()
        assert [entry[:3] for entry in read_entries(path, tmp_path)] == [('run 12', (5,), None), ('run 13', (5,), None)]

    def test_folders_called_like_videos(self, tmp_path: Path) -> None:
        path = write_list(tmp_path, 'v_1.avi 30 2')
        with pytest.raises(ValueError, match='line 1: .* known are'):
            read_entries(path, tmp_path)
        (tmp_path / 'v_1.avi').mkdir()
        assert read_entries(path, tmp_path)[0][:3] == ('v_1.avi', (2,), 30)


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('a.mp4 1,4,7', ('a.mp4', (1, 4, 7), None)),
        ('a b.mp4 1 4 7', ('a b.mp4', (1, 4, 7), None)),
        ('a.mp4,1,4,7', ('a.mp4', (1, 4, 7), None)),
        ('a.mp4 1', ('a.mp4', (1,), None)),
        ('a.mp4', ('a.mp4', (-1,), None)),
        ('folder 163 1 4', ('folder', (1, 4), 163)),
        ('folder 163 1,4', ('folder', (1, 4), 163)),
        ('folder 1,4', ('folder', (1, 4), None)),
    ],
)
def test_several_labels(tmp_path: Path, line: str, expected: tuple) -> None:
    assert read_entries(write_list(tmp_path, line), multi_class=True)[0][:3] == expected


def test_several_labels_in_csv(tmp_path: Path) -> None:
    path = write_list(tmp_path, 'path,label', 'a.mp4,"1,4"', 'b.mp4,2 3')
    assert [entry.labels for entry in read_entries(path, multi_class=True)] == [(1, 4), (2, 3)]
    with pytest.raises(ValueError, match="line 2: the label '1,4' is not an integer"):
        read_entries(path)


def test_segments_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'list.csv').write_text('path,start,end,label\nv.mp4,0,3,1\nv.mp4,3,6,1\n')
    with pytest.raises(ValueError, match=r"list\.csv: the columns \['start', 'end'\] are of segments"):
        read_entries(tmp_path / 'list.csv')


@pytest.mark.parametrize(
    'titles',
    [
        'start_sec,end_sec',
        'begin,finish',
        't_start,t_end',
        'from,to',
        'startTime,endTime',
        'Start (s),End (s)',
        'frame_start,frame_stop',
        'first_frame,last_frame',
        't0,t1',
        'clip_begin,duration',
        'segment,note',
        'action_start_ms,action_end_ms',
        'onset,offset',
    ],
)
def test_segments_under_other_titles_are_refused(tmp_path: Path, titles: str) -> None:
    (tmp_path / 'list.csv').write_text(f'path,{titles},label\nv.mp4,0,3,1\n')
    with pytest.raises(ValueError, match=r'list\.csv: the columns \[.*\] are of segments'):
        read_entries(tmp_path / 'list.csv')


@pytest.mark.parametrize(
    'title',
    'labels label_id Label_ID category Category_Id action actionId action_label classes class_name className '
    'classlabel targets gt tags cls activity ground_truth'.split(),
)
def test_labels_under_other_titles_are_refused(tmp_path: Path, title: str) -> None:
    path = write_list(tmp_path, f'path,{title}', 'a.mp4,3', 'b.mp4,1')
    message = rf"list\.txt: the columns \['{title}'\] look like labels, but .* 'label', 'class', 'class_id', 'target'"
    for several in (False, True):
        with pytest.raises(ValueError, match=message):
            read_entries(path, multi_class=several)
    path = write_list(tmp_path, f'path,label,{title}', 'a.mp4,3,x', 'b.mp4,1,y')
    assert read_video_list(path) == [('a.mp4', 3), ('b.mp4', 1)]


def test_other_columns_are_ignored(tmp_path: Path) -> None:
    titles = 'id,youtube_id,split,subset,duration,fps,frames,fraction,interaction,stage,front_end,from,last,total,time'
    path = write_list(tmp_path, f'path,{titles}', 'a.mp4' + ',1' * len(titles.split(',')))
    assert read_video_list(path) == [('a.mp4', -1)]


def test_same_file_by_relative_and_absolute_path(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text(f'v.mp4 3\n{tmp_path}/v.mp4 4\n')
    with pytest.raises(ValueError, match='has the label 4, but 3 in line 1'):
        read_entries(tmp_path / 'list.txt', tmp_path)
