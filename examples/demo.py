"""A service that uses another one: it calls echo again and again, and counts what echo tells."""

from __future__ import annotations

import itertools
import time

import lymph


class Demo(lymph.Interface):
    echo = lymph.proxy('echo')

    def apply_config(self, config):
        self.delay = config.get('delay', 1)
        self.finished = 0

    def on_start(self):
        self.spawn(self.run)

    def run(self):
        for number in itertools.count(1):
            time.sleep(self.delay)
            try:
                print('echo said', self.echo.upper(text=f'foo_{number}'))
            except lymph.RpcError as error:
                print('no answer:', error)

    @lymph.rpc()
    def count(self):
        """Return how many transformations echo has told of."""
        return self.finished

    @lymph.event('uppercase_transform_finished')
    def on_uppercase(self, event):
        self.finished += 1
