"""Ten thousand deferred waits in one process, against the emulated vendors with their rate limits on."""
