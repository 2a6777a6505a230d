"""A package, so that its Airflow ends with its last test (a fixture of the scope `package`)."""
