"""Values read and written in one way everywhere: arguments, times, and what can be stored."""

__all__: list[str] = []
