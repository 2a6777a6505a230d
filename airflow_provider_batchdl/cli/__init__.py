"""``airflow batchdl …``: what a person at a shell asks of the vendors, through Airflow's connections."""
