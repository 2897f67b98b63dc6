"""The dashboard of a notebook's session: what ``%memwatch on`` watches, with its buttons."""

from memanalysis.notebook.cell_budget import CellBudget
from memanalysis.notebook.session import NotebookSession
from memanalysis.verdicts.engine_loading import load_engine
from memanalysis.widgets.dashboard import Dashboard, DashboardSource

__all__ = ["make_session_dashboard"]


def make_session_dashboard(
    session: NotebookSession, budget: CellBudget, earlier: list[Dashboard]
) -> tuple[str | None, Dashboard]:
    """Return the dashboard of a session, and what to show where watching is turned on for it.

    Parameters
    ----------
    session : NotebookSession
        Turned on where it is off; the sampler then names lines.
    budget : CellBudget
        The budget of the cells is drawn too.
    earlier : list of Dashboard
        Those of the session; the new one is added, and those whose output was deleted are closed.
    """
    load_engine(under_tracing=True)  # before watching begins, or it would be growth of the session

    def start() -> str:
        return session.start(sample=True)

    source = DashboardSource(
        read=lambda: session.recorder,
        start=start,
        stop=session.stop,
        read_budget_bytes=lambda: budget.session_bytes,
    )
    text = None if session.is_on else start()
    for ended in [each for each in earlier if not each.is_drawing]:
        ended.close()
        earlier.remove(ended)
    earlier.append(Dashboard(source))
    return text, earlier[-1]
