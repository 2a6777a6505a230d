"""The tests of ``tests/client/test_submit.py``, with the vendors made of their documents."""

from tests.vendors.declared.suite.adopting import adopted

globals().update(adopted("tests.client.test_submit"))
