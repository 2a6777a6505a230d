"""The tests of ``tests/vendors/test_checking.py``, with the vendors made of their documents."""

from tests.vendors.declared.suite.adopting import adopted

# The checker is one, and random requests ask nothing of the rules.
WITHOUT = ("test_whatever_it_is_it_passes_or_is_refused_as_typed",)
globals().update(adopted("tests.vendors.test_checking", without=WITHOUT))
