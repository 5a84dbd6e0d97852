"""Exit codes, the line for a monitor, metrics, and what is sent to people."""

from __future__ import annotations

from .row import of

ROWS = [
    *of(
        "render/printed.py",
        "unit/render/test_check.py",
        [
            (
                "exit_code_lost",
                'OUTPUTTER, "retcode": code',
                'OUTPUTTER, "code": code',
                "a monitor gets 0 for a pool that is down",
            ),
        ],
    ),
    *of(
        "render/check.py",
        "unit/render/test_check.py",
        [
            (
                "unknown_is_zero",
                'return "U" if is_unknown(value) else',
                'return "0" if is_unknown(value) else',
                "a monitor draws zero where nothing is known",
            ),
        ],
    ),
    *of(
        "status/metrics.py",
        "unit/status/test_metrics.py",
        [
            (
                "unknown_metric_is_zero",
                "if isinstance(value, int | float):",
                "if True:\n        value = value if isinstance(value, int) else 0",
                "Prometheus draws zero where nothing is known",
            ),
            (
                "dead_brick_is_up",
                'and row["name"] not in dead',
                "",
                "a brick that the leader knows to be dead is shown as up",
            ),
        ],
    ),
    *of(
        "consul/known_reports.py",
        "unit/master/test_metrics.py",
        [
            (
                "report_never_new",
                "known[0] != values",
                "False",
                "the metrics show the pool as it was when the master began",
            ),
            (
                "judged_every_time",
                "known is None or known[0] != values",
                "True",
                "each scrape judges every report of the pool",
            ),
        ],
    ),
    *of(
        "master/metrics.py",
        "unit/master/test_metrics.py",
        [
            (
                "metrics_for_all",
                'ADDRESS, PORT = "127.0.0.1"',
                'ADDRESS, PORT = "0.0.0.0"',
                "the pool is told to the whole network unasked",
            ),
        ],
    ),
    *of(
        "master/plans.py",
        "unit/master/test_plans.py",
        [
            (
                "failed_order_exits_0",
                'answer.get("result") is not False',
                "True",
                "an order that failed ends like one that was carried out",
            ),
        ],
    ),
    *of(
        "master/status.py",
        "unit/master/test_status.py",
        [
            (
                "silent_pool_is_warning",
                "printed(check_unknown(str(err)), UNKNOWN)",
                "printed(check_unknown(str(err)), 1)",
                "a pool that nobody sees is called degraded",
            ),
        ],
    ),
]
