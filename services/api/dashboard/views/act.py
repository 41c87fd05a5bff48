"""What the page of an act asks: why, and for a new baseline from which night on."""

from dataclasses import dataclass

from services.api.acts import list_possible_acts
from services.api.dashboard.views.incident import name_incident
from services.api.dashboard.views.nights import incident_night
from shared.db.incidents import Incident
from shared.domain.errors import InvalidInput
from shared.domain.telling.incidents import Act

_TITLES = {
    Act.ACKNOWLEDGE: "Acknowledge",
    Act.RESOLVE: "Resolve",
    Act.DISMISS: "Dismiss as a false alarm",
    Act.ACCEPT_BASELINE: "Accept as the new baseline",
}
_CONSEQUENCES = {
    Act.ACKNOWLEDGE: "Reminders stop; the incident stays open.",
    Act.RESOLVE: "Its cause is gone: the incident is closed. If it isn't, the next nights open a new one.",
    Act.DISMISS: "It was a false alarm: the incident is closed. It counts against the stated rate.",
    Act.ACCEPT_BASELINE: "The incident is closed. Evidence starts at zero, with the nights from then on.",
}


@dataclass(frozen=True, slots=True)
class ActForm:
    """`field` names what is wrong, `error` says how; not `is_possible`: the act can't be done now."""

    incident: str
    name: str
    act: Act
    title: str
    consequence: str
    headline: str
    note: str
    night: str
    asks_night: bool
    is_possible: bool
    field: str = ""
    error: str = ""
    is_unsaved: bool = False

    @classmethod
    def unsaved(cls, incident_id: str, act: Act, note: str, night: str) -> "ActForm":
        """The form again, with all that was written, when the database did not answer."""
        return cls(
            incident_id, incident_id[:8], act, _TITLES[act], _CONSEQUENCES[act], "", note, night,
            act is Act.ACCEPT_BASELINE, True, is_unsaved=True,
        )  # fmt: skip


def describe_act(
    incident: Incident, act: Act, *, note: str = "", night: str = "", problem: InvalidInput | None = None
) -> ActForm:
    since = incident_night(incident)
    return ActForm(
        incident=str(incident.id),
        name=name_incident(incident.id),
        act=act,
        title=_TITLES[act],
        consequence=_CONSEQUENCES[act],
        headline=incident.headline,
        note=note,
        night=night or (since.isoformat() if since else ""),
        asks_night=act is Act.ACCEPT_BASELINE,
        is_possible=act in list_possible_acts(incident),
        field=problem.field if problem else "",
        error=_tell(problem) if problem else "",
    )


def _tell(problem: InvalidInput) -> str:
    told = f"{problem.problem} {problem.remedy}".strip()
    return told[:1].upper() + told[1:] if problem.field else told
