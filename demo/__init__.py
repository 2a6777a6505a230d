"""The four example DAGs, run in a real Airflow against the emulator: `make demo`, `make up`.

`home` lays out one run's folder, `processes` starts and stops Airflow's components (`guard` where the demo was killed),
`api` speaks Airflow's REST API, `runner` triggers the DAGs and tells what happens, `report` holds what landed against
what was served, and `__main__` is the command.
"""
