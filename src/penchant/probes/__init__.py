"""Measurements of any `nn.Module`. Needs torch alone."""

from penchant.probes._activity import ActivityReport as ActivityReport
from penchant.probes._activity import LayerActivity as LayerActivity
from penchant.probes._activity import activity as activity
from penchant.probes._bandwidth import bandwidth as bandwidth
from penchant.probes._bandwidth import kernel_spectrum as kernel_spectrum
from penchant.probes._bandwidth import matching_choice as matching_choice
from penchant.probes._bandwidth import matching_scale as matching_scale
from penchant.probes._bandwidth import suited_bandwidth as suited_bandwidth
from penchant.probes._curvature import Curvature as Curvature
from penchant.probes._curvature import largest_curvature as largest_curvature
from penchant.probes._decision_boundary import DecisionBoundary as DecisionBoundary
from penchant.probes._decision_boundary import decision_boundary as decision_boundary
from penchant.probes._examine import Examination as Examination
from penchant.probes._examine import examine as examine
from penchant.probes._finding import Finding as Finding
from penchant.probes._frequency_speed import FrequencySpeed as FrequencySpeed
from penchant.probes._frequency_speed import FrequencyTraining as FrequencyTraining
from penchant.probes._frequency_speed import frequency_speed as frequency_speed
from penchant.probes._frequency_speed import frequency_training as frequency_training
from penchant.probes._gradient_flow import GradientFlow as GradientFlow
from penchant.probes._gradient_flow import gradient_flow as gradient_flow
from penchant.probes._gradient_report import GradientReport as GradientReport
from penchant.probes._gradient_report import LayerGradient as LayerGradient
from penchant.probes._linearity import BlockShare as BlockShare
from penchant.probes._linearity import LinearityReport as LinearityReport
from penchant.probes._linearity import identity_shares as identity_shares
from penchant.probes._path_lengths import PathLengths as PathLengths
from penchant.probes._path_lengths import path_lengths as path_lengths
from penchant.probes._shift import MapShift as MapShift
from penchant.probes._shift import ShiftReport as ShiftReport
from penchant.probes._shift import shift_response as shift_response
from penchant.probes._signal import LayerSignal as LayerSignal
from penchant.probes._signal import SignalReport as SignalReport
from penchant.probes._signal import signal_propagation as signal_propagation
from penchant.probes._spectrum import Spectrum as Spectrum
from penchant.probes._spectrum import signal_spectrum as signal_spectrum
from penchant.probes._spectrum import spectrum as spectrum
from penchant.probes._tangent_kernel import TangentKernel as TangentKernel
from penchant.probes._tangent_kernel import tangent_kernel as tangent_kernel

__all__ = [
    "ActivityReport",
    "BlockShare",
    "Curvature",
    "DecisionBoundary",
    "Examination",
    "Finding",
    "FrequencySpeed",
    "FrequencyTraining",
    "GradientFlow",
    "GradientReport",
    "LayerActivity",
    "LayerGradient",
    "LayerSignal",
    "LinearityReport",
    "MapShift",
    "PathLengths",
    "ShiftReport",
    "SignalReport",
    "Spectrum",
    "TangentKernel",
    "activity",
    "bandwidth",
    "decision_boundary",
    "examine",
    "frequency_speed",
    "frequency_training",
    "gradient_flow",
    "identity_shares",
    "kernel_spectrum",
    "largest_curvature",
    "matching_choice",
    "matching_scale",
    "path_lengths",
    "shift_response",
    "signal_propagation",
    "signal_spectrum",
    "spectrum",
    "suited_bandwidth",
    "tangent_kernel",
]
