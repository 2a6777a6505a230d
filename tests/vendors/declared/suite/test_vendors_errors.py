"""The tests of ``tests/vendors/test_errors.py``, with the vendors made of their documents."""

from tests.vendors.declared.suite.adopting import adopted

WITHOUT = (
    "test_the_code_is_kept_beside_the_words",
    "test_words_of_json",
    "test_words_of_text",
    "test_a_charset_that_is_none_is_survived",
    "test_any_bytes_become_a_typed_error",
    "test_nesting_deeper_than_python_goes",
    "test_a_message_that_is_cut_ends_within_no_secret",
)
globals().update(adopted("tests.vendors.test_errors", without=WITHOUT))
