"""Metadata lives in pyproject.toml; this file only carries configs/ and tools/ along.

They go below ``mmsigma/.mim``, the folder in which mmengine looks for ``mmsigma::sigma/...``: as copies in a
wheel, as links in an editable install.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
CARRIED = ('configs', 'tools')


class BuildWithConfigs(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            (ROOT / 'mmsigma' / '.mim').mkdir(exist_ok=True)
            for folder in CARRIED:
                link = ROOT / 'mmsigma' / '.mim' / folder
                if not link.exists():
                    link.symlink_to(Path('..', '..', folder))
            return
        for folder in CARRIED:
            target = Path(self.build_lib) / 'mmsigma' / '.mim' / folder
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns('__pycache__'))


setup(cmdclass={'build_py': BuildWithConfigs})
