"""Pages are one file with relative links, and show texts as they are."""

from html.parser import HTMLParser
from pathlib import Path

from mmsigma.visualization.report import Page

EVIL = '<script>"&\'</script>'


class Reader(HTMLParser):
    """Tags with their attributes, and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.hidden = '', False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.hidden = tag == 'style'

    def handle_data(self, data: str) -> None:
        self.text += '' if self.hidden else f'{data}\n'

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_nothing_is_read_as_html(tmp_path: Path) -> None:
    page = Page(EVIL, tmp_path)
    page.heading(EVIL), page.paragraph(EVIL), page.facts({EVIL: EVIL}), page.table([EVIL], [[EVIL]])
    page.figure('a.png', EVIL, EVIL), page.sheet([('b.png', EVIL, EVIL)]), page.links({EVIL: 'c d&".csv'})
    read = Reader(page.write().read_text())
    assert not read.all('script') and read.text.count(EVIL) == 13  # title and heading of the page, and all parts
    assert [picture['alt'] for picture in read.all('img')] == [EVIL, EVIL]
    assert [link['href'] for link in read.all('a')] == ['a.png', 'b.png', 'c%20d%26%22.csv']  # pictures open alone


def test_files_are_linked_from_the_folder_of_the_page(tmp_path: Path) -> None:
    page = Page('x', tmp_path / 'out')
    page.figure(tmp_path / 'out' / 'report' / 'a#1.png', 'a')
    page.figure('report/b.mp4', 'b')
    page.sheet([('c.jpg', 'query', ''), ('d.jpg', 'found', '')], mark_first=True)
    path = page.write('other.html')
    read = Reader(path.read_text())
    assert path == tmp_path / 'out' / 'other.html'
    assert [picture['src'] for picture in read.all('img')] == ['report/a%231.png', 'c.jpg', 'd.jpg']
    (video,) = read.all('video')
    assert video['src'] == 'report/b.mp4' and {'controls', 'playsinline'} <= video.keys()
    assert [figure.get('class') for figure in read.all('figure')] == [None, None, 'first', None]


def test_tables_scroll_and_round(tmp_path: Path) -> None:
    page = Page('x', tmp_path)
    page.table(('name', 'value'), [('a', 1.25), ('b', 3)], digits=2)
    text = page.write().read_text()
    assert '<div class="scroll"><table><tr><th>name</th><th>value</th></tr>' in text
    assert '<td>a</td><td>1.25</td>' in text and '<td>b</td><td>3</td>' in text


def test_pages_fit_screens_and_schemes(tmp_path: Path) -> None:
    text = Page('x', tmp_path).write().read_text()
    (_, viewport) = Reader(text).all('meta')
    assert viewport == {'name': 'viewport', 'content': 'width=device-width, initial-scale=1'}
    assert '@media (prefers-color-scheme: dark)' in text and 'Written on 20' in text
