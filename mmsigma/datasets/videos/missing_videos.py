"""Annotated videos that are not there."""

from collections.abc import Sequence

from mmengine.logging import MMLogger


def report_missing(missing: Sequence[str], total: int, folder: str, *, strict: bool) -> None:
    """Say how many of ``total`` annotated videos are missing and which; results on different sets do not compare.

    Args:
        missing: Their names.
        total: Annotated videos.
        folder: Where they were looked for.
        strict: Whether a single one is too many.

    Raises:
        FileNotFoundError: If any is missing and ``strict`` is set, or if all are.
    """
    if not missing:
        return
    names = ', '.join(missing[:10]) + (f' and {len(missing) - 10} more' if len(missing) > 10 else '')
    message = f'{len(missing)} of {total} annotated videos are not in {folder}: {names}'
    if strict or len(missing) == total:
        remedy = 'set data_prefix to where they are' + ('' if len(missing) == total else ', or strict=False to go on')
        raise FileNotFoundError(f'{message}; {remedy}')
    MMLogger.get_current_instance().warning(message)
