"""Dashboards for Grafana, made from code: boards.py names them, make.py writes them."""
