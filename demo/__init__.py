"""The example DAGs in a real Airflow against the emulator: `make demo` runs one for each vendor, `make up` offers all.

`home` creates one run's folder, `processes` starts and stops Airflow's components (`guard` after the demo was killed),
`api` is a client of Airflow's REST API, `runner` triggers the DAGs and prints their states, `report` compares the
landed files with those served, and `__main__` is the command.
"""
