"""Grafana's dashboards as code: `python -m deploy.grafana` writes dashboards/*.json.

One module for each dashboard; `panels` has the kinds of panels, `sources` the queries, `frame` what all
dashboards share. It lives beside the files that it makes, outside the services: nothing runs it in operation.
"""
