"""The tests of ``tests/vendors/test_flows.py``, with the vendors made of their documents."""

from tests.vendors.declared.suite.adopting import adopted

globals().update(adopted("tests.vendors.test_flows"))
