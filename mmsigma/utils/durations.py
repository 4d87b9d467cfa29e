"""Durations as people say them."""


def describe_duration(seconds: float) -> str:
    """Describe a duration by its two largest units: ``'2 d 7 h'``, ``'6 min 19 s'``, ``'0 s'``."""
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    parts = ((days, 'd'), (hours, 'h'), (rest // 60, 'min'), (rest % 60, 's'))
    shown = [f'{number} {unit}' for number, unit in parts if number][:2]
    return ' '.join(shown) or '0 s'
