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
    """Tell whether a dataset has the published classes."""
    return set(dataset.class_names) == set(COUNTS)


def count_differences(dataset: Dataset) -> tuple[str, ...]:
    """Differences from the published numbers of images.

    Args:
        dataset: Dataset whose class names and numbers of images are compared, not its images.

    Returns:
        A sentence for each class that differs and one for the total; none where nothing does.
    """
    counts = dataset.counts
    differences = [
        f"Class {name} of {dataset.name} has {counts.get(name, 0):,} images; {COUNTS.get(name, 0):,} were published."
        for name in sorted({*COUNTS, *counts})
        if counts.get(name, 0) != COUNTS.get(name, 0)
    ]
    if differences:
        total = sum(COUNTS.values())
        differences.append(f"{dataset.name} has {len(dataset.images):,} images in all; {total:,} were published.")
    return tuple(differences)


def download() -> Path:
    """Download the published images through kagglehub, or find them in its cache.

    The cache is where `KAGGLEHUB_CACHE` says, or else `~/.cache/kagglehub`.

    Returns:
        A folder for `tlbench.datasets.folder.read_images`.

    Raises:
        DataError: kagglehub is not installed, or the download fails.
    """
    remedy = "give the path of the folder or archive with --tlbench-data PATH"
    try:
        import kagglehub
    except ImportError as error:
        msg = (
            f'Natural Images ({HANDLE}) is downloaded with kagglehub: pip install "tlbench[download]", or {remedy}. '
            f"Received: {error}"
        )
        raise DataError(msg) from error
    try:
        downloaded = Path(kagglehub.dataset_download(HANDLE))
    except Exception as error:
        msg = (
            f"Natural Images ({HANDLE}) could not be downloaded from Kaggle: try again, or {remedy}. "
            f"Received: {type(error).__name__}: {error}"
        )
        raise DataError(msg) from error
    # Everything is there twice: here, and in a folder `data` beside it.
    images = downloaded / "natural_images"
    return images if images.is_dir() else downloaded
