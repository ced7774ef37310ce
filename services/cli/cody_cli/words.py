"""Money, time and numbers, in the same words everywhere."""


def dollars(microusd: int) -> str:
    """$0.0123: four digits, as single files cost fractions of a cent; two from a dollar on."""
    if not microusd:
        return "$0"
    if microusd < 50:
        return "<$0.0001"
    amount = microusd / 1_000_000
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if 0 < seconds < 0.001:
        return "<1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
