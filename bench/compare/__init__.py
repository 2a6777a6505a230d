"""`make comparison`: one OpenAI batch through this package and its peers, into docs/comparison.md.

`scenes` says what goes wrong, `stage` arranges it around an emulated vendor, `run` lets an engine play it in processes
of its own (`play` for Airflow's operators, of `engines`; `airbyte` for a manifest), `judge` reads what came of it, and
`document` writes the page, from cells that were measured and no others.
"""
