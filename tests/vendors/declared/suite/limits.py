"""The limits of documents, as the twins of the built-in vendors show them: each with the tests that fail for it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """Something that no document can say.

    Args:
        vendor: whose document lacks it.
        words: what it is.
        tests: the names of the tests that fail for it, as regular expressions: a name, and its parameters.
    """

    vendor: str
    words: str
    tests: tuple[tuple[str, str], ...]


LIMITS = (
    Limit(
        "Revenuebase",
        "a second set of paths, chosen by a member of the extra (the retired v1, which also has the id as a number in "
        "a body, and a meaning of its own for status 410)",
        (
            ("test_v1_is_warned_about_and_its_end_explained", r".*"),
            ("test_balance", r".*-revenuebase-extra1"),
            ("test_an_id_that_is_none_is_never_sent", r".*-v1-revenuebase-.*"),
            ("test_results_that_stream_from_the_api", r".*-extra1-revenuebase"),
            ("test_revenuebase_submits_a_file", r".*-v1"),
            ("test_revenuebase_v1_views_and_lists", r".*"),
            ("test_the_retired_v1_says_use_v2_and_never_that_a_job_is_missing", r".*"),
        ),
    ),
    Limit(
        "Proofy",
        "jobs of two kinds with paths of their own each, which a prefix of the id distinguishes: the document has "
        "lists of addresses, and no files",
        (
            ("test_proofy_submits_a_file", r".*"),
            ("test_proofy_submits_a_file_by_url", r".*"),
            ("test_an_id_that_is_none_is_never_sent", r".*-proofy-file:.*"),
            ("test_a_wrong_submit_is_refused_before_it_is_sent", r".*-proofy-request_(9|10)-.*"),
            ("test_what_format_a_result_has", r".*"),
            ("test_what_is_known_passes_without_a_word", r"proofy-request_8"),
            ("test_what_is_a_guess_is_warned_of_and_sent", r"proofy-request_5-.*"),
            ("test_what_the_documents_rule_out_is_refused", r"proofy-request_10-.*"),
        ),
    ),
    Limit(
        "Proofy",
        "the one word of a state with which a downloaded JSON object is a result",
        (("test_only_proofys_ready_is_a_result", r"(5|True|Unready||long)"),),
    ),
    Limit(
        "Batch.com",
        "a state for the submit's answer alone, which has none, while any other answer without one is refused",
        (("test_batchcom_submits_an_export", r".*"),),
    ),
    Limit(
        "Batch.com",
        "a message that is made of two members, the code and the words",
        (("test_the_reason_of_a_failed_export_has_its_code", r".*"),),
    ),
    Limit(
        "Batch.com",
        "the form of a member of the extra, like a version: there are no regular expressions, only lists of values",
        (("test_a_version_that_is_none", r"batchcom-.*"),),
    ),
    Limit(
        "Batch.com",
        "a word for a state that the vendor does not document, apart from those that it does",
        (("test_the_documented_states_are_all_there", r""),),
    ),
    Limit(
        "Batch.com",
        "a rule across members of a request: that one of two is there, where a third has a certain value",
        (("test_a_rule_across_members", r"batchcom-.*"),),
    ),
    Limit(
        "ApartmentIQ",
        "a rule across members of a request: that a period does not end before it begins",
        (("test_a_rule_across_members", r"apartmentiq-.*"),),
    ),
    Limit(
        "ApartmentIQ",
        "a result's name of which a part may be missing",
        (("test_a_report_without_its_type_keeps_its_format", r".*"),),
    ),
    Limit(
        "ApartmentIQ",
        "an error of the vendor's own that has no body: an empty 403 is taken for a proxy's",
        (
            ("test_every_shape_becomes_its_typed_error", r"apartmentiq-403-"),
            ("test_the_same_through_both_clients", r".*-apartmentiq-status-403-"),
            ("test_somebody_elses_job_with_an_empty_403", r".*"),
        ),
    ),
)


def limit_of(name: str) -> Limit | None:
    """The limit that the test of that name shows; None if it is to pass."""
    test, _, parameters = name.partition("[")
    parameters = parameters.removesuffix("]")
    return next(
        (
            each
            for each in LIMITS
            for wanted, pattern in each.tests
            if test == wanted and re.fullmatch(pattern, parameters, re.DOTALL)
        ),
        None,
    )
