"""Submitting, downloading, cancelling, and all of it in one task."""
