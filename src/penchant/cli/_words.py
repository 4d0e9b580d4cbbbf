"""Amounts as people read them."""


def duration(seconds: float) -> str:
    """Say a time with the precision that one can use.

    Example:
        >>> duration(0.42), duration(42.3), duration(200), duration(7300)
        ('0.4 s', '42 s', '3 min 20 s', '2 h 1 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: int) -> str:
    """Say a number of bytes.

    Example:
        >>> size(512), size(450_000), size(4_500_000)
        ('512 bytes', '450 kB', '4.5 MB')
    """
    if count < 1_000:
        return f"{count} bytes"
    return f"{count / 1_000:,.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def counted(count: int, word: str) -> str:
    """Say how many there are of something.

    Example:
        >>> counted(1, "run"), counted(1200, "run")
        ('1 run', '1,200 runs')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"
