"""Tests of a vendor's class, without a network, Airflow or pytest.

:func:`drive` runs one flow with canned answers. :func:`check_vendor` throws at a vendor what real APIs, proxies and
people send sooner or later, and says in words what it does wrong with it; :func:`assert_vendor` raises over them::

    assert_vendor(Acme, request={"words": 2}, job_id="7", answers={"status": (200, {"id": "7", "status": "done"})})
"""

from __future__ import annotations

from airflow_provider_batchdl.testing.checks import assert_vendor, check_vendor
from airflow_provider_batchdl.testing.driving import Answer, drive

__all__ = ["Answer", "assert_vendor", "check_vendor", "drive"]
