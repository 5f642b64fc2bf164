"""Every dashboard, in the order in which people need them."""

from grafana.cases import CASES
from grafana.health import HEALTH
from grafana.queue_and_line import DETAIL
from grafana.wallboard import WALLBOARD

BOARDS = (WALLBOARD, DETAIL, CASES, HEALTH)
