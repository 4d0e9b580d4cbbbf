"""Signals to reconstruct: loading, asking, scoring. Tasks know nothing of designs."""

from penchant.tasks._calibration import Reliability as Reliability
from penchant.tasks._calibration import calibration_error as calibration_error
from penchant.tasks._calibration import reliability as reliability
from penchant.tasks._classification import ClassificationTask as ClassificationTask
from penchant.tasks._classification_split import ClassificationSplit as ClassificationSplit
from penchant.tasks._data_sets import DATA_SETS as DATA_SETS
from penchant.tasks._data_sets import is_labelled as is_labelled
from penchant.tasks._data_sets import is_sound as is_sound
from penchant.tasks._data_sets import load_labelled as load_labelled
from penchant.tasks._data_sets import source_and_options as source_and_options
from penchant.tasks._drawn import is_drawn as is_drawn
from penchant.tasks._drawn import load_drawn as load_drawn
from penchant.tasks._evaluate import evaluate as evaluate
from penchant.tasks._evaluate import is_finite as is_finite
from penchant.tasks._gaussian_classes import GaussianClasses as GaussianClasses
from penchant.tasks._gaussian_classes import LinearLogits as LinearLogits
from penchant.tasks._gaussian_classes import QuadraticLogits as QuadraticLogits
from penchant.tasks._gaussians import GaussiansTask as GaussiansTask
from penchant.tasks._grid import fit_grid as fit_grid
from penchant.tasks._grid_task import GridSplit as GridSplit
from penchant.tasks._grid_task import GridTask as GridTask
from penchant.tasks._header import Decoding as Decoding
from penchant.tasks._header import SamplesHeader as SamplesHeader
from penchant.tasks._header import SignalHeader as SignalHeader
from penchant.tasks._headers import HEADERS as HEADERS
from penchant.tasks._headers import read_header as read_header
from penchant.tasks._held_out import HeldOut as HeldOut
from penchant.tasks._jpeg import Jpeg as Jpeg
from penchant.tasks._jpeg import fit_jpeg as fit_jpeg
from penchant.tasks._labelled import Labelled as Labelled
from penchant.tasks._load import Asked as Asked
from penchant.tasks._load import kind_of as kind_of
from penchant.tasks._load import load_task as load_task
from penchant.tasks._log_mel import LogMel as LogMel
from penchant.tasks._log_mel import LogMelStream as LogMelStream
from penchant.tasks._log_mel import mel_filters as mel_filters
from penchant.tasks._mesh import Mesh as Mesh
from penchant.tasks._mesh import load_mesh as load_mesh
from penchant.tasks._mesh_header import MeshHeader as MeshHeader
from penchant.tasks._mesh_task import MeshSplit as MeshSplit
from penchant.tasks._mesh_task import MeshTask as MeshTask
from penchant.tasks._picture import Picture as Picture
from penchant.tasks._picture import builtin_picture as builtin_picture
from penchant.tasks._picture import find_pictures as find_pictures
from penchant.tasks._picture import load_picture as load_picture
from penchant.tasks._picture_header import PictureHeader as PictureHeader
from penchant.tasks._picture_task import PictureTask as PictureTask
from penchant.tasks._plane import PlaneSplit as PlaneSplit
from penchant.tasks._plane import PlaneTask as PlaneTask
from penchant.tasks._plane import in_plane as in_plane
from penchant.tasks._plane_shapes import PlaneShape as PlaneShape
from penchant.tasks._points import coordinates as coordinates
from penchant.tasks._points import grid_coordinates as grid_coordinates
from penchant.tasks._points import lattice as lattice
from penchant.tasks._points import pixel_coordinates as pixel_coordinates
from penchant.tasks._posed_pictures import PosedPictures as PosedPictures
from penchant.tasks._posed_pictures import is_posed as is_posed
from penchant.tasks._posed_pictures import load_posed_pictures as load_posed_pictures
from penchant.tasks._radiance_header import RadianceHeader as RadianceHeader
from penchant.tasks._radiance_task import RadianceSplit as RadianceSplit
from penchant.tasks._radiance_task import RadianceTask as RadianceTask
from penchant.tasks._ray_renderer import RayRenderer as RayRenderer
from penchant.tasks._recording import Recording as Recording
from penchant.tasks._recording import load_recording as load_recording
from penchant.tasks._recording import placed as placed
from penchant.tasks._scores import band_edges as band_edges
from penchant.tasks._scores import band_errors as band_errors
from penchant.tasks._scores import psnr as psnr
from penchant.tasks._scores import snr as snr
from penchant.tasks._scores import ssim_map as ssim_map
from penchant.tasks._separable_gaussians import fit_separable_gaussians as fit_separable_gaussians
from penchant.tasks._signed import signed_answering as signed_answering
from penchant.tasks._signed import signed_divergence as signed_divergence
from penchant.tasks._sound import Sound as Sound
from penchant.tasks._sound import is_sound_file as is_sound_file
from penchant.tasks._sound import load_sound as load_sound
from penchant.tasks._sound import loudest as loudest
from penchant.tasks._sound_header import SoundHeader as SoundHeader
from penchant.tasks._sound_task import SoundTask as SoundTask
from penchant.tasks._task import Metric as Metric
from penchant.tasks._task import Score as Score
from penchant.tasks._task import Split as Split
from penchant.tasks._task import Task as Task
from penchant.tasks._teacher import Teacher as Teacher
from penchant.tasks._teacher import TeacherSplit as TeacherSplit
from penchant.tasks._teacher import TeacherTask as TeacherTask
from penchant.tasks._volume import Volume as Volume
from penchant.tasks._volume import load_volume as load_volume
from penchant.tasks._volume_files import Placed as Placed
from penchant.tasks._volume_header import VolumeHeader as VolumeHeader
from penchant.tasks._volume_task import VolumeTask as VolumeTask

__all__ = [
    "Asked",
    "DATA_SETS",
    "HEADERS",
    "ClassificationSplit",
    "ClassificationTask",
    "Decoding",
    "GaussianClasses",
    "GaussiansTask",
    "GridSplit",
    "GridTask",
    "HeldOut",
    "Jpeg",
    "Labelled",
    "LinearLogits",
    "LogMel",
    "LogMelStream",
    "Mesh",
    "MeshHeader",
    "MeshSplit",
    "MeshTask",
    "Metric",
    "Picture",
    "PictureHeader",
    "PictureTask",
    "Placed",
    "PlaneShape",
    "PlaneSplit",
    "PlaneTask",
    "PosedPictures",
    "QuadraticLogits",
    "RadianceHeader",
    "RadianceSplit",
    "RadianceTask",
    "RayRenderer",
    "Recording",
    "Reliability",
    "SamplesHeader",
    "Score",
    "SignalHeader",
    "Sound",
    "SoundHeader",
    "SoundTask",
    "Split",
    "Task",
    "Teacher",
    "TeacherSplit",
    "TeacherTask",
    "Volume",
    "VolumeHeader",
    "VolumeTask",
    "band_edges",
    "band_errors",
    "builtin_picture",
    "calibration_error",
    "coordinates",
    "evaluate",
    "find_pictures",
    "fit_grid",
    "fit_jpeg",
    "fit_separable_gaussians",
    "grid_coordinates",
    "in_plane",
    "is_drawn",
    "is_finite",
    "is_labelled",
    "is_posed",
    "is_sound",
    "is_sound_file",
    "kind_of",
    "lattice",
    "load_drawn",
    "load_labelled",
    "load_mesh",
    "load_picture",
    "load_posed_pictures",
    "load_recording",
    "load_sound",
    "load_task",
    "loudest",
    "load_volume",
    "mel_filters",
    "pixel_coordinates",
    "placed",
    "psnr",
    "read_header",
    "reliability",
    "signed_answering",
    "signed_divergence",
    "source_and_options",
    "snr",
    "ssim_map",
]
