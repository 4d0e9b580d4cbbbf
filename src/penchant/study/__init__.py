"""Studies: designs, plans, runs, stores and verdicts; and single networks, fitted and decoded."""

from penchant.study._autoencoder import AutoencoderDesign as AutoencoderDesign
from penchant.study._baselines import parse_fields as parse_fields
from penchant.study._design import Design as Design
from penchant.study._executors import WorkerError as WorkerError
from penchant.study._families import FAMILIES as FAMILIES
from penchant.study._families import design as design
from penchant.study._fit_defaults import FITS as FITS
from penchant.study._fit_defaults import usual_fit as usual_fit
from penchant.study._fitted import Fitted as Fitted
from penchant.study._fitted import fit as fit
from penchant.study._fitted import fit_task as fit_task
from penchant.study._fitted import load as load
from penchant.study._folder import PLAN as PLAN
from penchant.study._folder import REPORT as REPORT
from penchant.study._folder import RESULTS as RESULTS
from penchant.study._fully_connected import CoordinateDesign as CoordinateDesign
from penchant.study._fully_connected import DenseDesign as DenseDesign
from penchant.study._jobs import Event as Event
from penchant.study._jobs import Finished as Finished
from penchant.study._jobs import Job as Job
from penchant.study._jobs import Progress as Progress
from penchant.study._over_time import TDNNDesign as TDNNDesign
from penchant.study._plan import BUILT_IN as BUILT_IN
from penchant.study._plan import Plan as Plan
from penchant.study._plan import differing as differing
from penchant.study._plan import parse_vary as parse_vary
from penchant.study._planes import PlaneMap as PlaneMap
from penchant.study._resnet import ResNetDesign as ResNetDesign
from penchant.study._results import Moment as Moment
from penchant.study._results import Pilot as Pilot
from penchant.study._results import Reconstruction as Reconstruction
from penchant.study._results import Results as Results
from penchant.study._results import Run as Run
from penchant.study._results import Verdict as Verdict
from penchant.study._results import VerdictWord as VerdictWord
from penchant.study._sentence import FEWEST as FEWEST
from penchant.study._sentence import amount as amount
from penchant.study._sentence import with_unit as with_unit
from penchant.study._study import Study as Study
from penchant.study._tiled import TiledDesign as TiledDesign
from penchant.study._verdict import judge as judge
from penchant.study._versions import versions as versions

__all__ = [
    "AutoencoderDesign",
    "BUILT_IN",
    "CoordinateDesign",
    "DenseDesign",
    "Design",
    "Event",
    "FAMILIES",
    "FEWEST",
    "FITS",
    "Finished",
    "Fitted",
    "Job",
    "Moment",
    "PLAN",
    "Pilot",
    "Plan",
    "PlaneMap",
    "Progress",
    "REPORT",
    "RESULTS",
    "ResNetDesign",
    "Reconstruction",
    "Results",
    "Run",
    "Study",
    "TDNNDesign",
    "TiledDesign",
    "Verdict",
    "VerdictWord",
    "WorkerError",
    "amount",
    "design",
    "differing",
    "fit",
    "fit_task",
    "judge",
    "load",
    "parse_fields",
    "parse_vary",
    "usual_fit",
    "versions",
    "with_unit",
]
