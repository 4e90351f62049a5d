"""How the pipelines do: activity, queues, dashboard, and what they cost."""
