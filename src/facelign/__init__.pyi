from facelign import models as models
from facelign._version import __version__ as __version__
from facelign.errors import (
    BadArray as BadArray,
)
from facelign.errors import (
    CompareError as CompareError,
)
from facelign.errors import (
    ConfigError as ConfigError,
)
from facelign.errors import (
    DatasetError as DatasetError,
)
from facelign.errors import (
    DatasetMalformed as DatasetMalformed,
)
from facelign.errors import (
    DatasetMissing as DatasetMissing,
)
from facelign.errors import (
    DegenerateLandmarks as DegenerateLandmarks,
)
from facelign.errors import (
    DownloadFailed as DownloadFailed,
)
from facelign.errors import (
    DuplicateTemplate as DuplicateTemplate,
)
from facelign.errors import (
    ExtraMissing as ExtraMissing,
)
from facelign.errors import (
    FacelignError as FacelignError,
)
from facelign.errors import (
    GalleryBusy as GalleryBusy,
)
from facelign.errors import (
    GalleryCorrupt as GalleryCorrupt,
)
from facelign.errors import (
    GalleryError as GalleryError,
)
from facelign.errors import (
    InputError as InputError,
)
from facelign.errors import (
    LicenseRefused as LicenseRefused,
)
from facelign.errors import (
    ModelError as ModelError,
)
from facelign.errors import (
    ModelMismatch as ModelMismatch,
)
from facelign.errors import (
    NoCalibration as NoCalibration,
)
from facelign.errors import (
    NoFace as NoFace,
)
from facelign.errors import (
    ProviderMissing as ProviderMissing,
)
from facelign.errors import (
    Refused as Refused,
)
from facelign.errors import (
    SchemaTooNew as SchemaTooNew,
)
from facelign.errors import (
    SeveralFaces as SeveralFaces,
)
from facelign.errors import (
    SinkError as SinkError,
)
from facelign.errors import (
    SpaceMismatch as SpaceMismatch,
)
from facelign.errors import (
    UnknownModel as UnknownModel,
)
from facelign.errors import (
    UnknownPerson as UnknownPerson,
)
from facelign.errors import (
    UnreadableImage as UnreadableImage,
)
from facelign.errors import (
    UnsupportedImage as UnsupportedImage,
)
from facelign.errors import (
    WeightsCorrupt as WeightsCorrupt,
)
from facelign.errors import (
    WeightsMissing as WeightsMissing,
)
from facelign.imaging.read import Limits as Limits
from facelign.imaging.read import read_image as read_image
from facelign.recognition.drawing import draw as draw
from facelign.recognition.options import ChainOptions as ChainOptions
from facelign.recognition.options import EnrollOptions as EnrollOptions
from facelign.recognition.options import IdentifyOptions as IdentifyOptions
from facelign.recognition.options import LiveOptions as LiveOptions
from facelign.recognition.photo_gallery import PhotoGallery as PhotoGallery
from facelign.recognition.photo_gallery import open_gallery as open_gallery
from facelign.recognition.recognizer import Recognizer as Recognizer
from facelign.recognition.results import Enrollment as Enrollment
from facelign.recognition.results import Identification as Identification
from facelign.types.analysis import Analysis as Analysis
from facelign.types.calibrations import Calibration as Calibration
from facelign.types.chips import Chips as Chips
from facelign.types.decisions import CandidateList as CandidateList
from facelign.types.decisions import Decision as Decision
from facelign.types.decisions import Threshold as Threshold
from facelign.types.embeddings import Embeddings as Embeddings
from facelign.types.embeddings import Space as Space
from facelign.types.faces import Faces as Faces
from facelign.types.image import Image as Image
from facelign.types.landmarks import Landmarks as Landmarks
from facelign.types.liveness import LiveAnswer as LiveAnswer
from facelign.types.liveness import LiveDecision as LiveDecision
from facelign.types.policies import FacePolicy as FacePolicy
