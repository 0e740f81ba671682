"""The program ``abp``: reads its arguments, runs the command, and reports what went wrong in one line."""

import logging
from importlib import import_module

from abp.cli.options import parser
from abp.cli.output import complain
from abp.errors import AbpError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status: 0 done, 1 the run did not end well, 2 bad input, 130 interrupted."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    options = parser().parse_args(arguments)
    try:
        # Only now, since most commands import PyTorch, which takes seconds that help and mistakes need not wait for.
        return import_module(f"abp.cli.{options.module}").run(options)
    except AbpError as error:
        return complain(str(error))
    except OSError as error:
        return complain(f"{error.filename or 'the output'} cannot be written: {error.strerror or error}")
