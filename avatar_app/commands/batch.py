"""Animate every photo of a folder with every clip of a folder.

Existing results are not made again, and a failed one does not stop the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tqdm import tqdm

from avatar_app.commands.animator import Animator, say_made
from avatar_app.commands.printer import say
from avatar_app.errors import AvatarError, ClipError, OutputError, PortraitError
from avatar_app.files import natural, reason
from avatar_app.media.driving import Driving
from avatar_app.media.photo import picture_files
from avatar_app.session.clip import Track
from avatar_app.text import Text, join

FORMATS = ("mp4", "m4v", "mov", "mkv", "webm", "gif", "webp", "png", "jpg")

CLIPS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts"),
        *(".wmv", ".asf", ".flv", ".3gp", ".ogv", ".gif", ".mjpeg"),
    )
)
"""Endings of clips."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Photos and clips to combine.

    Attributes:
        photos, clips: at least one of each.
        many_photos, many_clips: these came from a folder.
    """

    photos: Sequence[Path]
    clips: Sequence[Path]
    many_photos: bool
    many_clips: bool


@dataclass(frozen=True, slots=True)
class Job:
    """One result to make."""

    photo: Path
    clip: Path
    output: Path


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a job.

    Attributes:
        made: it was made now.
        error: why it was not; empty if it existed or was made.
        line: what was made, for people.
    """

    job: Job
    made: bool = False
    error: str = ""
    frames: int = 0
    notes: Sequence[Text] = ()
    line: str = ""

    @property
    def state(self) -> str:
        """``made``, ``there`` or ``failed``."""
        return "failed" if self.error else "made" if self.made else "there"


def folders_of(photo: Path, clip: Path) -> Folders | None:
    """List the content of the folders that the user named.

    None for one photo and one clip. A folder of pictures alone is one clip. Raises AvatarError if a folder
    has nothing usable.
    """
    many_photos = photo.is_dir()
    clips = _clips_in(clip) if clip.is_dir() else []
    if not many_photos and not clips:
        return None
    photos = _photos_in(photo) if many_photos else [photo]
    return Folders(photos, clips or [clip], many_photos, bool(clips))


def _photos_in(folder: Path) -> list[Path]:
    try:
        photos = picture_files(folder)
    except OSError as problem:
        raise PortraitError(
            Text("The folder {} cannot be read: {}.", folder, reason(problem)), Text("Check its permissions.")
        ) from None
    if not photos:
        raise PortraitError(
            Text("The folder {} has no photos in it.", folder), Text("Name another folder, or a photo.")
        )
    return photos


def _clips_in(folder: Path) -> list[Path]:
    try:
        files = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in CLIPS and not path.name.startswith(".") and path.is_file()
        ]
    except OSError as problem:
        raise ClipError(
            Text("The folder {} cannot be read: {}.", folder, reason(problem)), Text("Check its permissions.")
        ) from None
    return sorted(files, key=lambda path: natural(path.name.casefold()))


def require_folder(output: Path) -> None:
    """Raise OutputError unless results can be written to this folder.

    It may not exist yet.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(
            Text("The output {} must be a folder for several results.", output),
            Text("Name a folder, such as results."),
        )
    if not output.absolute().parent.is_dir():
        raise OutputError(
            Text("There is no folder {}.", output.absolute().parent), Text("Make it, or name another one.")
        )


def jobs_of(folders: Folders, output: Path, ending: str) -> list[Job]:
    """Return all combinations, clip by clip.

    ``OUTPUT/CLIP.mp4`` or ``OUTPUT/PHOTO.mp4`` if there is one of the other, else ``OUTPUT/PHOTO/CLIP.mp4``.
    """
    photos, clips = _names(folders.photos), _names(folders.clips)
    jobs = []
    for clip, of_clip in zip(folders.clips, clips, strict=True):
        for photo, of_photo in zip(folders.photos, photos, strict=True):
            parts = [of_photo] * folders.many_photos + [of_clip] * folders.many_clips
            path = output.joinpath(*parts)
            jobs.append(Job(photo, clip, path.with_name(f"{path.name}.{ending}")))
    return jobs


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each path, without its ending unless two would be equal."""
    stems = [path.stem for path in paths]
    alike = len({stem.casefold() for stem in stems}) < len(stems)
    return [path.name for path in paths] if alike else stems


def make_all(
    jobs: Sequence[Job], make: Callable[[Sequence[Job]], Iterator[Result]], one_bar: bool = False
) -> list[Result]:
    """Make missing results. Raises AvatarError only if nothing can be made at all.

    Args:
        make: yields the result of each job, in any order.
        one_bar: show the progress over all, on a terminal only.
    """
    missing = [job for job in jobs if not job.output.exists()]
    results = {job: Result(job) for job in jobs}
    new_folders = {job.output.parent for job in missing if not job.output.parent.exists()}
    there = len(jobs) - len(missing)
    try:
        with tqdm(
            total=len(jobs), initial=there, unit="clip", disable=None if one_bar else True, leave=False
        ) as bar:
            for result in make(missing) if missing else ():
                results[result.job] = result
                with tqdm.external_write_mode():
                    _show(result)
                bar.update()
    finally:
        for folder in new_folders:
            with suppress(OSError):  # unless something is in it
                folder.rmdir()
    return list(results.values())


def _show(result: Result) -> None:
    if result.error:
        say(f"error: {result.job.output} was not made. {result.error}", error=True)
    else:
        say_made(result.notes, result.line)


def make_here(
    open_animator: Callable[[], Animator], read: Callable[[Path], Driving], jobs: Sequence[Job]
) -> Iterator[Result]:
    """Make results one after the other."""
    animator = open_animator()
    try:
        for group in groups_of(jobs, len(jobs)):
            yield from make_group(animator, read, group)
    finally:
        animator.close()


def groups_of(jobs: Sequence[Job], most: int) -> list[Sequence[Job]]:
    """Divide jobs into groups of one clip each, with at most so many photos."""
    clips = [list(group) for _, group in groupby(jobs, lambda job: job.clip)]
    return [group[start : start + most] for group in clips for start in range(0, len(group), most)]


def make_group(animator: Animator, read: Callable[[Path], Driving], jobs: Sequence[Job]) -> Iterator[Result]:
    """Make the results of one clip: track its driver once, then animate each photo."""
    try:
        clip = read(jobs[0].clip)
        track = animator.follow(clip)
    except AvatarError as problem:
        for job in jobs:
            yield Result(job, error=str(problem))
        return
    for job in jobs:
        yield _made(animator, job, clip, track)


def _made(animator: Animator, job: Job, clip: Driving, track: Track) -> Result:
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        why = Text("The folder {} cannot be made: {}.", job.output.parent, reason(problem))
        return Result(job, error=join([why, Text("Free some space or name another folder.")]))
    try:
        report = animator.make(job.photo, clip, job.output, track)
    except AvatarError as problem:
        return Result(job, error=str(problem))
    line = animator.describe(clip, job.output, report)
    return Result(job, made=True, frames=report.frames, notes=report.notes, line=line)


def summary(results: Sequence[Result]) -> str:
    """Return a line with the number of results by state."""
    count = Counter(result.state for result in results)
    there = f", {count['there']} there already" if count["there"] else ""
    failed = f", {count['failed']} failed" if count["failed"] else ""
    return f"{len(results)} results: {count['made']} made{there}{failed}"


def results_report(results: Sequence[Result]) -> dict[str, Any]:
    """Return the result of every job, for a JSON file."""
    count = Counter(result.state for result in results)
    return {
        **{state: count[state] for state in ("made", "there", "failed")},
        "results": [
            {
                "avatar": str(result.job.photo),
                "driving": str(result.job.clip),
                "output": str(result.job.output),
                "state": result.state,
                "frames": result.frames,
                "error": result.error,
                "notes": result.notes,
            }
            for result in results
        ],
    }
