"""Command line: `python -m ratchet_trainer serve|run|digest`."""

import argparse
import os
import sys

from .runtime import prepare_environment


def main() -> int:
    """Parses the command line and runs it; returns the exit code."""
    prepare_environment()
    parser = argparse.ArgumentParser(prog="ratchet_trainer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run one job file; events on stdout")
    run.add_argument("job")
    serve = commands.add_parser("serve", help="stay warm and run jobs that arrive on a socket")
    serve.add_argument("--socket", required=True, help="path of the Unix socket, under 100 characters")
    serve.add_argument("--preload", action="append", default=[], metavar="BASEDIR", help="base model to warm up")
    digest = commands.add_parser("digest", help="print the digest of a base model")
    digest.add_argument("base")
    arguments = parser.parse_args()
    if arguments.command == "run":
        from .run_job import run_job

        return run_job(arguments.job, _write_stdout())
    if arguments.command == "serve":
        _let_macos_fork()
        from .serve import serve_forever

        return serve_forever(arguments.socket, arguments.preload)
    from .digests import base_digest, base_folder

    print(base_digest(base_folder(arguments.base)))
    return 0


def _let_macos_fork() -> None:
    """macOS ends forked processes whose parent has used its frameworks, unless told otherwise before the start."""
    name = "OBJC_DISABLE_INITIALIZE_FORK_SAFETY"
    if sys.platform == "darwin" and os.environ.get(name) != "YES":
        os.environ[name] = "YES"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _write_stdout():
    """Events own stdout; what libraries print there goes to stderr."""
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return events.write


if __name__ == "__main__":
    sys.exit(main())
