"""``python -m mmsigma``, the same as the command ``mmsigma``."""

from mmsigma.cli import run_command

if __name__ == '__main__':
    run_command()
