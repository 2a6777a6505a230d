"""The tests of ``tests/vendors/test_dates.py``, with the vendors made of their documents."""

from tests.vendors.declared.suite.adopting import adopted

WITHOUT = (
    "test_what_is_no_date_stays",
    "test_a_request_that_holds_itself",
    "test_how_far_back",
    "test_a_period_that_has_no_length",
    "test_what_is_no_time_is_the_vendors_to_judge",
    "test_the_moment_stays_the_same",
)
globals().update(adopted("tests.vendors.test_dates", without=WITHOUT))
