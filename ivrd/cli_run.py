"""`ivrd run`: the daemon itself.

Here: its one argument, and the loop it runs on. Not here: what it is built of (app.py).
"""

import asyncio

from ivrd import config
from ivrd.app import App
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.log import configure
from ivrd.long_lived import LongLived
from ivrd.loop_turns import LoopTurns


def run(config_path: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    settings = config.load(config_path)
    configure(settings.log)
    turns = LoopTurns()
    app = App(settings, path=config_path, supervision=config.supervision())
    app.watch_turns(turns)
    long_lived = LongLived()
    long_lived.begin()
    with asyncio.Runner(loop_factory=turns.new_loop) as runner:
        long_lived.keep(runner.get_loop())
        runner.run(app.run())
