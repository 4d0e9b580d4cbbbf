"""Claims: the statements of the course notes, executed and judged, and a user's own."""

from penchant.claims._claim import PROFILES as PROFILES
from penchant.claims._claim import Claim as Claim
from penchant.claims._claim import Evidence as Evidence
from penchant.claims._claim import Profile as Profile
from penchant.claims._claim import Rule as Rule
from penchant.claims._claim import Ruling as Ruling
from penchant.claims._claim import Section as Section
from penchant.claims._claim import Statement as Statement
from penchant.claims._claim import verdict as verdict
from penchant.claims._notes import NOTES as NOTES
from penchant.claims._own import find as find
from penchant.claims._page import page as page
from penchant.claims._record import Record as Record
from penchant.claims._record import last as last
from penchant.claims._record import records as records
from penchant.claims._rules import check as check
from penchant.claims._rules import comparisons as comparisons
from penchant.claims._rules import exactly as exactly
from penchant.claims._run import rulings as rulings
from penchant.claims._run import run as run
from penchant.claims._setting import NotRun as NotRun
from penchant.claims._setting import Setting as Setting
from penchant.claims._setting import of_studies as of_studies
from penchant.claims._setting import of_study as of_study
from penchant.claims._setting import shipped as shipped

__all__ = [
    "Claim",
    "Evidence",
    "NOTES",
    "NotRun",
    "PROFILES",
    "Profile",
    "Record",
    "Rule",
    "Ruling",
    "Section",
    "Setting",
    "Statement",
    "check",
    "comparisons",
    "exactly",
    "find",
    "last",
    "of_studies",
    "of_study",
    "page",
    "records",
    "rulings",
    "run",
    "shipped",
    "verdict",
]
