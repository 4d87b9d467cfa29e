"""Metadata lives in pyproject.toml; this file only carries configs/, tools/ and their index along.

They go below ``mmsigma/.mim``, the folder in which mmengine looks for ``mmsigma::sigma/...``: as copies in a
wheel, as links in an editable install.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
CARRIED = ('configs', 'tools', 'model-index.yml')


class BuildWithConfigs(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            (ROOT / 'mmsigma' / '.mim').mkdir(exist_ok=True)
            for name in CARRIED:
                link = ROOT / 'mmsigma' / '.mim' / name
                if not link.exists():
                    link.symlink_to(Path('..', '..', name))
            return
        for name in CARRIED:
            target = Path(self.build_lib) / 'mmsigma' / '.mim' / name
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copy2(ROOT / name, target)
            else:
                shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns('__pycache__'))


setup(cmdclass={'build_py': BuildWithConfigs})
