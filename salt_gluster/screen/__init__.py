"""What a person reads: status, states' comments, plans and impacts, as text and as plain data.

Data in, text out, at most 80 columns. No Salt, no I/O and no rule lives here: what is wrong
and what may be done was decided before. What is not known is printed as such, with its why.
"""

from salt_gluster.screen.automation import render_explained, render_journal, render_proposals
from salt_gluster.screen.plan import impact_data, plan_data, render_impact, render_plan
from salt_gluster.screen.state import as_declared, state_error, state_return
from salt_gluster.screen.status import EXIT_WORDS, status_data
from salt_gluster.screen.status_text import render_status
from salt_gluster.screen.text import utc_clock
from salt_gluster.screen.versions import render_diff, render_history, render_restore

__all__ = [
    "EXIT_WORDS",
    "as_declared",
    "impact_data",
    "plan_data",
    "render_diff",
    "render_explained",
    "render_history",
    "render_impact",
    "render_journal",
    "render_plan",
    "render_proposals",
    "render_restore",
    "render_status",
    "state_error",
    "state_return",
    "status_data",
    "utc_clock",
]
