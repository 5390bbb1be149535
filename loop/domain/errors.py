"""Every error a user can meet, as one tree; each carries one sentence for a person.

LoopError
├── NotFoundError        CampaignNotFoundError, BatchNotFoundError, SnapshotNotFoundError,
│                        PluginNotFoundError, DatasetNotFoundError
├── ConflictError        StaleCampaignError, WrongStateError, BudgetSpentError,
│                        AlreadyExistsError
├── InvalidError         UnreadableFileError, CampaignFileError, UnknownPerturbagenError,
│                        UnknownContextError, DoseError, ResultsRefusedError,
│                        NotEnoughCandidatesError, NothingMeasuredError, SpaceTooLargeError,
│                        LayoutError, ConflictingConstraintsError
├── IncompatibleError    this plug-in cannot serve that request
└── UnavailableError     StorageFullError, SchemaVersionError, LabUnreachableError,
                         DownloadError
"""


class LoopError(Exception):
    """Anything that Pertloop refuses; `str(error)` is the sentence to show."""


class NotFoundError(LoopError):
    """What was named does not exist."""


class CampaignNotFoundError(NotFoundError):
    """No campaign has this name."""


class BatchNotFoundError(NotFoundError):
    """No batch has this id."""


class SnapshotNotFoundError(NotFoundError):
    """No snapshot has this id."""


class PluginNotFoundError(NotFoundError):
    """No installed plug-in has this name."""


class DatasetNotFoundError(NotFoundError):
    """No registered public screen has this name."""


class ConflictError(LoopError):
    """The request was sound, but not in the present state."""


class StaleCampaignError(ConflictError):
    """Somebody else changed the campaign in between; nothing was written."""


class WrongStateError(ConflictError):
    """The batch or snapshot is not in a state that allows this."""


class BudgetSpentError(ConflictError):
    """The campaign's wells are used up."""


class AlreadyExistsError(ConflictError):
    """The name is taken."""


class InvalidError(LoopError):
    """The input is wrong."""


class UnreadableFileError(InvalidError):
    """A file is missing, empty, too large, or not of the expected kind."""


class CampaignFileError(InvalidError):
    """The campaign file has a wrong key or value."""


class UnknownPerturbagenError(InvalidError):
    """A perturbagen that the library does not hold."""


class UnknownContextError(InvalidError):
    """A context that the library does not hold."""


class DoseError(InvalidError):
    """A dose without unit, of an unknown level, or not a number."""


class ResultsRefusedError(InvalidError):
    """A results file was refused as a whole; nothing was stored."""


class NotEnoughCandidatesError(InvalidError):
    """The batch is larger than what is left to choose from."""


class NothingMeasuredError(InvalidError):
    """There is nothing to learn from yet."""


class SpaceTooLargeError(InvalidError):
    """The candidate space cannot be addressed by a 63-bit integer."""


class LayoutError(InvalidError):
    """The batch does not fit the plates asked for."""


class ConflictingConstraintsError(InvalidError):
    """Constraints that no batch could keep together; the sentence names the smallest part."""


class IncompatibleError(LoopError):
    """This plug-in cannot serve this request."""


class UnavailableError(LoopError):
    """Something outside Pertloop is not as it should be; trying again may help."""


class StorageFullError(UnavailableError):
    """The disk is full; nothing was half-written."""


class SchemaVersionError(UnavailableError):
    """The database belongs to another version of Pertloop."""


class LabUnreachableError(UnavailableError):
    """The lab adapter could not be reached."""


class DownloadError(UnavailableError):
    """A public screen could not be fetched whole."""
