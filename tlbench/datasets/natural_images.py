"""Natural Images (Roy et al. 2018, arXiv:1807.10108): what was published, and where to get it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.errors import DataError


if TYPE_CHECKING:
    from tlbench.datasets.dataset import Dataset

# Kaggle's handle of the published version.
HANDLE = "prasunroy/natural-images/versions/1"

COUNTS = {
    "airplane": 727,
    "car": 968,
    "cat": 885,
    "dog": 702,
    "flower": 843,
    "fruit": 1000,
    "motorbike": 788,
    "person": 986,
}


def looks_like_natural_images(dataset: Dataset) -> bool:
    """Whether a dataset has the published classes."""
    return set(dataset.class_names) == set(COUNTS)


def count_differences(dataset: Dataset) -> tuple[str, ...]:
    """What differs from the published numbers of images, a sentence for each class and one for the total."""
    differences = [
        f"Class {name} of {dataset.name} has {dataset.counts.get(name, 0)} images; {published} were published."
        for name, published in COUNTS.items()
        if dataset.counts.get(name, 0) != published
    ]
    if differences:
        total = sum(COUNTS.values())
        differences.append(f"{dataset.name} has {len(dataset.images):,} images; {total:,} were published.")
    return tuple(differences)


def download() -> Path:
    """Download the published images through kagglehub, or find them in its cache.

    Returns:
        A folder for `tlbench.datasets.folder.read_images`.

    Raises:
        DataError: kagglehub is not installed, or the download fails.
    """
    remedy = "give --tlbench-data the path of the folder or archive"
    try:
        import kagglehub
    except ImportError as error:
        msg = f'Natural Images is downloaded with kagglehub: pip install "tlbench[download]", or {remedy}.'
        raise DataError(msg) from error
    try:
        return Path(kagglehub.dataset_download(HANDLE))
    except Exception as error:
        msg = f"Natural Images could not be downloaded from Kaggle ({HANDLE}); {remedy}. Received: {error}"
        raise DataError(msg) from error
