"""Which of Beam's runners does a step's work, and what its errors mean to a person."""

import contextlib
import difflib
import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import create_runner

from components.shared import errors
from components.shared.beam_options import ON_THIS_MACHINE
from components.shared.errors import PipelineError, UsageError, one_line

# Beam logs the traceback of each error that it raises, even of one meant for the user, and
# portable runners log what Java says, to the root logger.
logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
logging.getLogger("apache_beam.runners.worker").setLevel(logging.CRITICAL)
logging.getLogger("apache_beam.utils.subprocess_server").setLevel(logging.ERROR)
logging.getLogger().addFilter(lambda record: record.module != "portable_runner")

_OPTION = re.compile(r"--(?!help$)\w+(=.*)?", re.DOTALL)
_OUR_ERROR = re.compile(
    rf"^{re.escape(errors.__name__)}\.(\w+): (.*?)(?: \[while running |\n\n|\Z)", re.M | re.S
)
_NOT_OURS = (TypeError, AttributeError, NameError)  # mistakes in the program, not in its use


@contextlib.contextmanager
def beam_pipeline(beam_options: Sequence[str], step: str) -> Iterator[beam.Pipeline]:
    """Yield a pipeline; it runs when the block ends, on this machine or where the options say.

    Args:
        beam_options: Options of Beam, each as `--name=value` or `--name`. Without a `--runner`
            among them the workers are threads of this process.
        step: Whose `beam_options` they are, for messages.

    Raises:
        UsageError: An option is wrong, or what it names does not answer.
        PipelineError: The runner gave up, or what a worker raised.
    """
    setting = f"{step}.beam_options"
    options = _parse(beam_options, setting)
    name = options.view_as(StandardOptions).runner or ""
    here = name.lower() in ON_THIS_MACHINE
    try:
        # FnApiRunner by name: DirectRunner looks for Prism in the net, and may hang.
        runner = FnApiRunner() if here else create_runner(name)
        pipeline = beam.Pipeline(runner=runner, options=options)
    except (ValueError, ImportError) as error:
        raise UsageError(f"{setting}: {one_line(error)}") from error
    complete = False  # what comes before is no runner's error
    try:
        with pipeline:
            yield pipeline
            complete = True
    except Exception as error:
        known = _of_a_worker(error, setting) if complete else None
        if known is None and complete and not here and not isinstance(error, _NOT_OURS):
            known = _of_a_runner(error, f"{setting} (--runner={name})")
        if known is None:
            raise
        raise known from None


def _parse(beam_options: Sequence[str], setting: str) -> PipelineOptions:
    for option in beam_options:
        if not _OPTION.fullmatch(option):
            raise UsageError(f"{setting}: '{option}' is no option: write --name=value or --name")
    # A list, though it be empty: for None, Beam takes the options of our own program.
    options, known = PipelineOptions(list(beam_options)), PipelineOptions([]).get_all_options()
    with io.StringIO() as told, contextlib.redirect_stderr(told):
        try:
            given = options.get_all_options(retain_unknown_options=True)
        except SystemExit:
            message = one_line(told.getvalue().rpartition("error: ")[2])
            raise UsageError(f"{setting}: {message}") from None
    if unknown := sorted(given.keys() - known.keys()):
        raise UsageError(f"{setting}: Beam has no option --{unknown[0]}{_near(unknown[0], known)}")
    options.view_as(SetupOptions).save_main_session = False  # it would be this very program
    return options


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean --{near[0]}?" if near else ""


def _of_a_worker(error: Exception, setting: str) -> Exception | None:
    """What a worker raised for the user to see, or storage that failed it."""
    # FnApiRunner raises an error of its own, without the errno, while it handles a worker's.
    if isinstance(error.__context__, OSError | PipelineError):
        return error.__context__
    text = str(error)  # all that other runners bring home
    if ours := _OUR_ERROR.search(text):
        known: type[PipelineError] = getattr(errors, ours[1], PipelineError)
        return known(one_line(ours[2]))
    if "No module named 'components" in text:
        return UsageError(
            f"{setting}: the workers lack this step's code: let them run in its image, by "
            "--sdk_container_image, or by --environment_type=EXTERNAL in a worker pool of it"
        )
    return None


def _of_a_runner(error: Exception, setting: str) -> PipelineError | None:
    """What the runner itself has to say; None for a traceback of a worker."""
    text = str(error).strip() or "no answer; does --job_endpoint name a job server?"
    if "Traceback (most recent call last)" in text:
        return None
    first, *others = text.splitlines()
    causes = [line for line in others if line.startswith("Caused by: ")]
    message = f"{setting}: {one_line(' '.join([first, *causes[-1:]]))}"
    return PipelineError(message) if " failed in state " in first else UsageError(message)
