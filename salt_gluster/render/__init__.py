"""Render status, states' comments, plans and impacts for operators, as text and as plain data.

Data in, text out, at most 80 columns. No Salt, no I/O and no rule lives here: what is wrong
and what may be done was decided before. What is not known is printed as such, with its why.
"""

from salt_gluster.model import utc_clock
from salt_gluster.render.automation import render_explained, render_journal, render_proposals
from salt_gluster.render.check import check_line, check_unknown
from salt_gluster.render.config_history import render_diff, render_history, render_restore
from salt_gluster.render.parts import Part, combined, state_dict
from salt_gluster.render.plan import impact_data, plan_data, render_impact, render_plan
from salt_gluster.render.printed import printed, with_code
from salt_gluster.render.state_return import (
    as_declared,
    error_part,
    state_error,
    state_or_error,
    state_part,
    state_return,
)
from salt_gluster.render.status import render_status
from salt_gluster.status.summary import EXIT_WORDS, status_data

__all__ = [
    "EXIT_WORDS",
    "Part",
    "as_declared",
    "check_line",
    "check_unknown",
    "combined",
    "error_part",
    "impact_data",
    "plan_data",
    "printed",
    "render_diff",
    "render_explained",
    "render_history",
    "render_impact",
    "render_journal",
    "render_plan",
    "render_proposals",
    "render_restore",
    "render_status",
    "state_dict",
    "state_error",
    "state_or_error",
    "state_part",
    "state_return",
    "status_data",
    "utc_clock",
    "with_code",
]
