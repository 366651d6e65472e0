"""The user's side: configuration, the DAG, where it runs, and the command line."""
