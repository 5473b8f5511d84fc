"""Errors of weights on disk. They are raised before anything is served.

CheckpointError
├── CheckpointMissing    the folder, or a part of it, does not exist
├── CheckpointUnsafe     loading it would run code: a pickle, or a config that names code of its own
├── CheckpointCorrupt    a file is cut short or unreadable, or a weight is not finite
├── CheckpointMismatch   names or shapes of the weights are not those that the config asks for
├── CheckpointTooLarge   the weights do not fit into the device's free memory
├── DigestMismatch       the folder is not the one that the manifest names
├── ManifestInvalid      the manifest breaks its own rules, or does not list the model
├── HubError             the hub does not answer, or not as a hub does
└── StorageError         the object storage does not answer, or refuses
"""

from __future__ import annotations


class CheckpointError(Exception):
    """Base of every error about weights."""


class CheckpointMissing(CheckpointError):
    """The folder, or a part of it, does not exist."""


class CheckpointUnsafe(CheckpointError):
    """Loading it would run code that came with the weights."""


class CheckpointCorrupt(CheckpointError):
    """A file is cut short or unreadable, or a weight is not finite."""


class CheckpointMismatch(CheckpointError):
    """Names or shapes of the weights are not those that the config asks for."""


class CheckpointTooLarge(CheckpointError):
    """The weights do not fit into the device's free memory."""


class DigestMismatch(CheckpointError):
    """The folder is not the one that the manifest names."""


class ManifestInvalid(CheckpointError):
    """The manifest breaks its own rules, or does not list the model."""


class HubError(CheckpointError):
    """The hub does not answer, or not as a hub does."""


class StorageError(CheckpointError):
    """The object storage does not answer, or refuses."""
