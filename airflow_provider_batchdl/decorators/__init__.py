"""Decorators: ``@task.batch_job`` makes a durable batch job of a function that returns its request."""

__all__: list[str] = []
