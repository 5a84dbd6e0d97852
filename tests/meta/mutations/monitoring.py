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
