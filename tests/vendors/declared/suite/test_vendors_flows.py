"""The tests of ``tests/vendors/test_flows.py``, with the vendors made of their documents."""

from tests.vendors.declared.suite.adopting import adopted

WITHOUT = (
    "test_reading_members",
    "test_is_echo_of",
    "test_values_are_compared_by_what_they_mean",
    "test_where_a_job_and_its_request_are_one_object_only_the_requests_members_count",
    "test_any_time_is_aware_or_none",
    "test_upload_names_carry_the_key",
)
globals().update(adopted("tests.vendors.test_flows", without=WITHOUT))
