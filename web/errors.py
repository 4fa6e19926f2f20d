"""What each deliberate error is to a shell and to an HTTP client."""

from typing import NamedTuple

from index import errors


class Status(NamedTuple):
    """A process's exit status, an HTTP status, and the error's short title."""

    exit: int
    http: int
    title: str


STATUSES: dict[type[errors.EngineError], Status] = {
    errors.CatalogError: Status(2, 422, "The catalogue is refused"),
    errors.NeedError: Status(2, 400, "The need cannot be searched for"),
    errors.JudgementError: Status(2, 422, "The judged needs are refused"),
    errors.UnknownArtifactError: Status(1, 404, "There is no such artifact"),
    errors.EventError: Status(1, 503, "The event log is not available"),
    errors.ComparisonError: Status(2, 400, "There is nothing to compare"),
    errors.SettingError: Status(2, 500, "A setting is wrong"),
    errors.LearningError: Status(1, 422, "There is too little to learn from"),
    errors.FeedbackError: Status(2, 422, "The outcome is refused"),
    errors.KeyNameError: Status(2, 422, "The key is refused"),
    errors.UnknownKeyError: Status(1, 401, "There is no such key"),
    errors.EncoderError: Status(1, 503, "The encoder is not available"),
    errors.NoGenerationError: Status(1, 503, "There is no such generation"),
    errors.DamagedError: Status(1, 503, "The generation is damaged"),
    errors.MismatchError: Status(1, 503, "The generation does not fit"),
    errors.StoreError: Status(1, 503, "The store is not available"),
    errors.WorkerError: Status(1, 503, "The build has no workers"),
    errors.ClusterError: Status(1, 503, "A part of the catalogue cannot be reached"),
    errors.StorageError: Status(1, 503, "The disk refuses"),
}


def status(error: errors.EngineError) -> Status:
    """Return the status of `error`; every concrete class has one."""
    return STATUSES[type(error)]
