"""What Beam's options say before Beam is imported."""

from collections.abc import Sequence

ON_THIS_MACHINE = ("", "direct", "directrunner", "fnapi", "fnapirunner")  # in lower case


def works_here(beam_options: Sequence[str]) -> bool:
    """Whether a step's workers are threads of its own process.

    Args:
        beam_options: Each as `--name=value` or `--name`; the last of a name counts.
    """
    named = [
        value
        for name, _, value in (one.partition("=") for one in beam_options)
        if name == "--runner"
    ]
    return (named[-1] if named else "").lower() in ON_THIS_MACHINE
