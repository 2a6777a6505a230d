"""Commands ``airflow batchdl …``: jobs, downloads and checks at a shell, through Airflow's connections."""

__all__: list[str] = []
