from __future__ import annotations
from tests.support.airflow_api import ExecutionApi
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator

def test_x(connections, api: ExecutionApi, tmp_path):
    f = tmp_path/"a.csv"; f.write_text("email\na@b.com\n")
    o = api.run(lambda: SubmitBatchJobOperator(task_id="t", conn_id="revenuebase_default", file=str(f)))
    print(o, api.__dict__)
    assert 0
