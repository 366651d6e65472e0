"""The DAG on Kubeflow Pipelines: compile, submit, schedule, follow."""
