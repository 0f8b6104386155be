"""Reads the metrics at a URL with the parser of the Prometheus project, which checks their syntax."""

import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1]) as answer:
    families = list(text_string_to_metric_families(answer.read().decode()))
assert len(families) > 20, families
assert all(family.documentation for family in families), families
print("ok")
