"""Reporting of annotated videos whose files are missing."""

from collections.abc import Sequence

from mmengine.logging import MMLogger


def report_missing(missing: Sequence[str], total: int, folder: str, *, strict: bool) -> None:
    """Report how many annotated videos are missing and which, since results on different sets are not comparable.

    Args:
        missing: Names of the missing videos.
        total: Number of annotated videos.
        folder: Folder in which they were looked for.
        strict: Whether even a single missing video is an error.

    Raises:
        FileNotFoundError: If all videos are missing, or if any is and ``strict`` is set.
    """
    if not missing:
        return
    names = ', '.join(missing[:10]) + (f' and {len(missing) - 10} more' if len(missing) > 10 else '')
    message = f'{len(missing)} of {total} annotated videos are not in {folder}: {names}'
    if strict or len(missing) == total:
        remedy = 'set data_prefix to their folder' + ('' if len(missing) == total else ', or strict=False to continue')
        raise FileNotFoundError(f'{message}; {remedy}')
    MMLogger.get_current_instance().warning(message)
