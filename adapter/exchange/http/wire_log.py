"""One line of log for each request: method, host, path without values, status, duration.

Never a query, a header, a body, or a part of a path that is not known to be a word of the API. The
libraries below have logs of their own that do show such things; they are turned off here.
"""

from __future__ import annotations

import logging
import re

_LIBRARIES = (
    "httpx",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "oauthlib",
    "oauthlib.oauth1",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
    "oauthlib.oauth1.rfc5849.endpoints.base",
)

# Names of resources, and of interactions that stand in a path (FHIR R4, RESTful API).
_WORDS_TEXT = """
Appointment AuditEvent Basic Binary Bundle CapabilityStatement CarePlan CareTeam CodeSystem
Communication CommunicationRequest ConceptMap Condition Consent Coverage Device DocumentReference
Encounter Endpoint EpisodeOfCare Goal Group HealthcareService List Location Measure MeasureReport
MedicationRequest MessageHeader NamingSystem Observation OperationDefinition OperationOutcome
Organization OrganizationAffiliation Parameters Patient Person PlanDefinition Practitioner
PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson
RequestGroup Schedule SearchParameter ServiceRequest Slot StructureDefinition Subscription
SubscriptionStatus Task ValueSet
metadata _search _history .well-known smart-configuration oauth oauth2 token initiate authorize
"""
_WORDS = frozenset(_WORDS_TEXT.split())
_OPERATION = re.compile(r"\$[a-z][a-z-]{1,40}")


class _Drop(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_drop = _Drop()


def quiet_libraries() -> None:
    """Keep the libraries below from logging addresses, headers and signatures."""
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        if _drop not in logger.filters:
            logger.addFilter(_drop)
            logger.setLevel(logging.WARNING)


def path_template(path: str, base: str = "") -> str:
    """A path with every part that may be a value replaced: ``/fhir/Task/{}/_history/{}``.

    Args:
        base: the path of base_url, which the operator wrote and the log may show.
    """
    shown = ""
    rest = path
    if base and (path == base or path.startswith(base.rstrip("/") + "/")):
        shown, rest = base.rstrip("/"), path[len(base.rstrip("/")) :]
    parts = [part if _is_word(part) else "{}" for part in rest.split("/")]
    return shown + "/".join(parts)


def _is_word(part: str) -> bool:
    return not part or part in _WORDS or bool(_OPERATION.fullmatch(part))
